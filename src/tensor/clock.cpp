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

size_t Clock::mark() {
#if FATHOM_WITH_CUDA
  if (!device_.on_host()) return mark_in(device_.cuda_context().stream());
#endif
  const size_t i = count_++;
  if (i == marks_.size()) marks_.emplace_back();
  marks_[i] = std::chrono::steady_clock::now();
  return i;
}

size_t Clock::mark_in([[maybe_unused]] CUstream_st* stream) {
  assert(!device_.on_host());
  const size_t i = count_++;
#if FATHOM_WITH_CUDA
  if (i == events_.size()) {
    cudaEvent_t event = nullptr;
    cuda_check(cudaEventCreate(&event), "creating an event");
    events_.push_back(event);
  }
  cuda_check(cudaEventRecord(events_[i], stream), "recording an event");
#endif
  return i;
}

double Clock::seconds(size_t from, size_t to) const {
  assert(from < count_ && to < count_);
  if (device_.on_host()) return std::chrono::duration<double>(marks_[to] - marks_[from]).count();
  float milliseconds = 0;
#if FATHOM_WITH_CUDA
  cuda_check(cudaEventElapsedTime(&milliseconds, events_[from], events_[to]), "reading an event");
#endif
  return milliseconds * 1e-3;
}

}  // namespace fathom
