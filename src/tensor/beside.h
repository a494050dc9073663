// Two pieces of work that may go on beside each other: on a GPU the second begins while the first is still
// under way, which fills what small kernels leave idle; elsewhere, and under a profile, they take turns.
#pragma once
#include "tensor/device.h"

namespace fathom {

// A fork in the ops given to a device: those after the constructor go to the side, those after turn() to the
// main line, and what follows join() comes after both, as it does where an Error leaves the fork. Within a
// fork there is no other.
class Fork {
 public:
  explicit Fork(const Device& device);
  ~Fork();
  Fork(const Fork&) = delete;
  Fork& operator=(const Fork&) = delete;
  void turn();
  void join();

 private:
  CudaContext* context_ = nullptr;  // where they do go on beside each other
};

// Neither may touch what the other writes.
template <class One, class Other>
void beside(const Device& device, const One& one, const Other& other) {
  Fork fork(device);
  one();
  fork.turn();
  other();
  fork.join();
}

}  // namespace fathom
