#include "tensor/device.h"

#include <cassert>
#include <cstdint>

namespace fathom {

void* Device::scratch(int thread, size_t bytes) const {
  assert(thread >= 0 && thread <= threads_);
  constexpr size_t alignment = 64;
  Buffer& b = buffers_[thread];
  if (b.size < bytes) {
    b.memory.reset();
    b.memory.reset(new std::byte[bytes + alignment]);
    b.size = bytes;
  }
  const auto address = reinterpret_cast<uintptr_t>(b.memory.get());
  return b.memory.get() + (alignment - address % alignment) % alignment;
}

}  // namespace fathom
