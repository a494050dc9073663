// Pending: a collective that was started. Until wait() returns, its tensors belong to it: results must not be
// read, and nothing of it may be written.
#pragma once
#include <memory>

#include "comm/backend.h"

namespace fathom {

// What a Profile of this device is told of a collective; without a device it is told nothing.
struct Collective {
  const Device* device = nullptr;
  const char* name = "";
  double bytes = 0;

  Profile* profile() const { return device ? device->profile() : nullptr; }
};

class [[nodiscard]] Pending {
 public:
  Pending() = default;
  explicit Pending(std::unique_ptr<Operation> operation, const Collective& collective = {})
      : operation_(std::move(operation)), collective_(collective) {}
  // Dropping it unfinished is a mistake of ours, which an assert finds: waiting here could hang for ever, and
  // memory would be freed that others still write. While an exception passes it is abandoned instead: the
  // process is about to end (World::abort).
  ~Pending();
  Pending(Pending&&) = default;
  Pending& operator=(Pending&& other);

  // In host memory: returns when the results are there. With NCCL: ops launched on the device from here on
  // come after it; the host does not wait. Messages move all the while; in host memory best while a rank is
  // inside a wait(), of whichever operation. Ranks may wait for their operations in different orders.
  void wait();
  bool done() const { return operation_ == nullptr; }

 private:
  std::unique_ptr<Operation> operation_;
  Collective collective_;
};

}  // namespace fathom
