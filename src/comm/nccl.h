// The backend of GPU memory. cuda/nccl_backend.cpp is made of NCCL; without_nccl.cpp stands for it in builds
// that have none.
#pragma once
#include <memory>

#include "comm/communicator.h"
#include "tensor/wait_listener.h"

namespace fathom {

// For the ranks of `host`, each of which has a GPU of its own. Every rank calls it; the device must outlive
// it. `waits`, or nobody, is told of this host's waits for the GPU from here on. An Error where this build
// has no NCCL, the library is not installed, or two ranks name one GPU.
std::unique_ptr<CommBackend> nccl_backend(const Device& device, Communicator& host, WaitListener* waits);

}  // namespace fathom
