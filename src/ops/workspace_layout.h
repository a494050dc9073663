// Lays out arrays in one block of scratch memory: with no memory it only adds up the sizes; the same code
// then runs again with memory and gets pointers.
#pragma once
#include <cstddef>
#include <cstdint>

namespace fathom {

template <size_t alignment>
class WorkspaceLayout {
 public:
  explicit WorkspaceLayout(void* memory = nullptr) : memory_(static_cast<std::byte*>(memory)) {}
  template <class T>
  T* take(int64_t count) {
    T* array = memory_ ? reinterpret_cast<T*>(memory_ + used_) : nullptr;
    used_ += (static_cast<size_t>(count) * sizeof(T) + alignment - 1) / alignment * alignment;
    return array;
  }
  size_t bytes() const { return used_; }

 private:
  std::byte* memory_;
  size_t used_ = 0;
};

}  // namespace fathom
