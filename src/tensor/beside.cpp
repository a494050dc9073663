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
  if (context_) context_->end_side();
}

Fork::~Fork() {
  if (!context_) return;
  if (context_->beside()) context_->end_side();  // an Error left before turn()
  context_->join_side();
}
#else
Fork::Fork(const Device&) {}
void Fork::turn() {}
Fork::~Fork() = default;
#endif

}  // namespace fathom
