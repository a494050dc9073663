// Independent work on a side stream: on a GPU two pieces of work run concurrently in two streams, which uses
// what small kernels leave idle. On the CPU, and while a Profile is attached, they run one after the other.
#pragma once
#include "tensor/device.h"

namespace fathom {

// Forks a side stream off the device's main stream: ops after the constructor go to the side stream, ops
// after to_main() to the main stream, and ops after join() run after both. The destructor joins when an Error
// leaves the fork. Forks do not nest: inside a fork another one runs its work in order.
class StreamFork {
 public:
  explicit StreamFork(const Device& device);
  ~StreamFork();
  StreamFork(const StreamFork&) = delete;
  StreamFork& operator=(const StreamFork&) = delete;
  void to_main();
  void join();

 private:
  [[maybe_unused]] CudaContext* context_ = nullptr;  // null: in order
};

// Runs both pieces of work, concurrently where the device can. Neither may touch what the other writes.
template <class Side, class Main>
void run_concurrently(const Device& device, const Side& side, const Main& main) {
  StreamFork fork(device);
  side();
  fork.to_main();
  main();
  fork.join();
}

}  // namespace fathom
