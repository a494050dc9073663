// Arena: owns one block of memory and hands out tensors from it, 64-byte aligned. Parameters, gradients,
// optimizer state, activations and cache each live in one, allocated once. A first pass over a planning arena
// (no memory) adds up what is needed; the same code then runs again over a real one.
#pragma once
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>

#include "tensor/device.h"
#include "tensor/tensor.h"

namespace fathom {

class Arena {
 public:
  // A planning arena: hands out tensors without memory and only counts. Never read or write through them.
  Arena() = default;
  // `name`, the size and the remedy (what a user can do about it) are in the error when there is not enough
  // memory. Fresh pages are zero.
  Arena(std::string name, int64_t bytes, const std::string& remedy = {});
  // On a device's own memory, or the host's where the device works on that. The device must outlive it. On a
  // GPU memory is taken and given back in the order of the device's work: neither waits for that work, nor
  // for what other ranks are to send.
  Arena(std::string name, int64_t bytes, const Device& device, const std::string& remedy = {});
  // Page-locked host memory: a GPU copies it at full speed and asynchronously.
  static Arena pinned(std::string name, int64_t bytes, const Device& device);
  ~Arena();
  Arena(Arena&& other) noexcept;
  Arena& operator=(Arena&& other) noexcept;

  // A contiguous tensor. Throws Error when the arena is full.
  Tensor allocate(DType dtype, std::initializer_list<int64_t> shape);

  bool planning() const { return memory_ == nullptr; }
  int64_t used() const { return used_; }
  int64_t size() const { return size_; }
  std::byte* data() const { return memory_; }

  // Stack discipline for temporaries: remember used(), allocate, work, then rewind. peak() is the highest
  // use.
  void rewind(int64_t used);
  int64_t peak() const { return peak_; }

 private:
  std::string name_ = "plan";
  std::byte* memory_ = nullptr;
  // Gives the memory back to its owner: the context of a GPU's memory.
  void (*release_)(CudaContext* owner, std::byte* memory, int64_t bytes) = nullptr;
  CudaContext* owner_ = nullptr;
  int64_t size_ = 0, used_ = 0, peak_ = 0;
};

}  // namespace fathom
