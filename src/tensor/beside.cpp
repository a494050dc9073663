#include "tensor/beside.h"

#if FATHOM_WITH_CUDA
#include "tensor/cuda/context.h"
#endif

namespace fathom {

#if FATHOM_WITH_CUDA
Fork::Fork(const Device& device) {
  if (device.on_host() || device.profile()) return;
  CudaContext& context = device.cuda_context();
  if (context.synchronous() || context.beside()) return;
  context.begin_side();
  context_ = &context;
}

void Fork::turn() {
  if (context_) cuda_check(context_->end_side(), "recording an event");
}

void Fork::join() {
  if (context_) cuda_check(context_->join_side(), "waiting for an event");
  context_ = nullptr;
}

Fork::~Fork() {
  if (!context_) return;  // joined; else an Error is on its way, which says more than one from here could
  if (context_->beside()) context_->end_side();
  context_->join_side();
}
#else
Fork::Fork(const Device&) {}
void Fork::turn() {}
void Fork::join() {}
Fork::~Fork() = default;
#endif

}  // namespace fathom
