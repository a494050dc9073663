#include "tensor/device.h"

#include <cassert>
#include <charconv>
#include <cstdint>
#include <new>

#include "base/error.h"
#include "base/progress.h"
#if FATHOM_WITH_CUDA
#include "tensor/cuda/context.h"
#endif

namespace fathom {

#if FATHOM_WITH_CUDA
Device Device::cuda(int ordinal) {
  Device device(Backend::cuda, hardware_threads());
  device.context_.reset(new CudaContext(ordinal));
  return device;
}

void CudaContextDeleter::operator()(CudaContext* context) const {
  delete context;
}

void Device::finish_op(const char* op) const {
  context_->finish_op(op);
}
#else
Device Device::cuda(int) {
  fail("this build has no CUDA: configure it with the preset 'cuda'");
}

void CudaContextDeleter::operator()(CudaContext*) const {}

void Device::finish_op(const char*) const {}
#endif

std::string Device::name() const {
#if FATHOM_WITH_CUDA
  if (!on_host()) return context_->properties().name;
#endif
  return "CPU";
}

Device Device::named(const std::string& name, int threads) {
  constexpr std::string_view gpu = "cuda:";
  if (name == "reference") return reference();
  if (name == "cpu") return cpu(threads);
  if (name == "cuda") return cuda();
  int ordinal = -1;
  const char* end = name.data() + name.size();
  const bool numbered = name.starts_with(gpu) && name.size() > gpu.size() &&
                        std::from_chars(name.data() + gpu.size(), end, ordinal).ptr == end && ordinal >= 0;
  check(numbered, "device '{}' is not known: expected cpu, reference, cuda or cuda:N", name);
  return cuda(ordinal);
}

void* Device::scratch(int thread, size_t bytes) const {
  assert(thread >= 0 && thread <= threads_);
  constexpr size_t alignment = 64;
  Buffer& b = buffers_[thread];
  if (b.size < bytes) {
    b.memory.reset(), b.size = 0;  // the old block first: both together may not fit
    b.memory.reset(new (std::nothrow) std::byte[bytes + alignment]);
    check(b.memory != nullptr, "not enough memory for an op's temporaries: asked for {}",
          human_bytes(static_cast<double>(bytes)));
    b.size = bytes;
  }
  const auto address = reinterpret_cast<uintptr_t>(b.memory.get());
  return b.memory.get() + (alignment - address % alignment) % alignment;
}

}  // namespace fathom
