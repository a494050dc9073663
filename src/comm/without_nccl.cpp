#include "base/error.h"
#include "comm/nccl.h"

namespace fathom {

std::unique_ptr<CommBackend> nccl_backend(const Device&, Communicator&, WaitListener*) {
  fail("this build has no NCCL, which ranks on GPUs need: configure it where nccl.h is installed");
}

}  // namespace fathom
