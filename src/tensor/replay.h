// Replay: work that is given to a device again and again in the same form, such as a decoding step. On a GPU
// it is recorded once as a CUDA graph and then launched whole, which spares the host the launch of every
// kernel; on the CPU it is simply done.
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
  Replay();
  ~Replay();
  Replay(const Replay&) = delete;
  Replay& operator=(const Replay&) = delete;

  // `key` names the form: with equal keys `work` must give the device the same ops on the same memory, and
  // wait for nothing. The first time it is done plainly, which lets workspaces grow; then it is recorded.
  void run(Device& device, const std::vector<int64_t>& key, const std::function<void()>& work);

 private:
  struct Recording;
  std::map<std::vector<int64_t>, std::unique_ptr<Recording>> recordings_;
};

}  // namespace fathom
