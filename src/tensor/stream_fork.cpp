#include "tensor/stream_fork.h"

#if FATHOM_WITH_CUDA
#include "tensor/cuda/context.h"
#endif

namespace fathom {

#if FATHOM_WITH_CUDA
StreamFork::StreamFork(const Device& device) {
  if (device.on_host() || device.profile()) return;
  CudaContext& context = device.cuda_context();
  if (context.synchronous() || context.on_side_stream()) return;
  context.fork_side_stream();
  context_ = &context;
}

void StreamFork::to_main() {
  if (context_) cuda_check(context_->leave_side_stream(), "recording an event");
}

void StreamFork::join() {
  if (context_) cuda_check(context_->join_side_stream(), "waiting for an event");
  context_ = nullptr;
}

// Not joined yet: an Error is in flight, and says more than a failure here could.
StreamFork::~StreamFork() {
  if (!context_) return;
  if (context_->on_side_stream()) context_->leave_side_stream();
  context_->join_side_stream();
}
#else
StreamFork::StreamFork(const Device&) {}
void StreamFork::to_main() {}
void StreamFork::join() {}
StreamFork::~StreamFork() = default;
#endif

}  // namespace fathom
