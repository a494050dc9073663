#include "tensor/clock.h"

#include <cassert>

#if FATHOM_WITH_CUDA
#include "tensor/cuda/context.h"
#endif

namespace fathom {

Clock::~Clock() {
#if FATHOM_WITH_CUDA
  for (cudaEvent_t event : events_) cudaEventDestroy(event);
#endif
}

void Clock::mark() {
  const size_t i = count_++;
  if (device_.on_host()) {
    if (i == marks_.size()) marks_.emplace_back();
    marks_[i] = std::chrono::steady_clock::now();
    return;
  }
#if FATHOM_WITH_CUDA
  if (i == events_.size()) {
    cudaEvent_t event = nullptr;
    cuda_check(cudaEventCreate(&event), "creating an event");
    events_.push_back(event);
  }
  cuda_check(cudaEventRecord(events_[i], device_.cuda_context().stream()), "recording an event");
#endif
}

double Clock::seconds(size_t i) const {
  assert(i < count_);
  if (device_.on_host()) return std::chrono::duration<double>(marks_[i] - marks_[0]).count();
  float milliseconds = 0;
#if FATHOM_WITH_CUDA
  cuda_check(cudaEventElapsedTime(&milliseconds, events_[0], events_[i]), "reading an event");
#endif
  return milliseconds * 1e-3;
}

}  // namespace fathom
