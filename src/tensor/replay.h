// Replay: work that a device gets again and again in the same form, such as a decoding step. On a GPU it is
// captured once as a CUDA graph and then launched as a whole, which saves the host one launch per kernel; on
// the CPU it simply runs.
#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "tensor/device.h"

namespace fathom {

class Replay {
 public:
  static constexpr size_t max_graphs = 64;

  Replay();
  ~Replay();
  Replay(const Replay&) = delete;
  Replay& operator=(const Replay&) = delete;

  // `key` names the form: with equal keys `work` must launch the same ops on the same memory, without
  // synchronizing. The first time it runs plainly, which lets workspaces grow; the second time it is
  // captured. Of more than max_graphs forms those that were run last are kept.
  void run(Device& device, const std::vector<int64_t>& key, const std::function<void()>& work);

 private:
  struct CapturedGraph;
  void forget_oldest();

  std::map<std::vector<int64_t>, std::unique_ptr<CapturedGraph>> graphs_;
  int64_t runs_ = 0;
};

}  // namespace fathom
