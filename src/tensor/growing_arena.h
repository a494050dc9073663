// GrowingArena: a stack of tensors whose sizes are known only while a step runs. It takes more memory when it
// runs out and keeps what it has taken, so that a step which needs no more than those before allocates
// nothing.
#pragma once
#include <algorithm>
#include <string>
#include <vector>

#include "tensor/arena.h"

namespace fathom {

class GrowingArena {
 public:
  // Memory that the device works on; the device must outlive it. For name and remedy see Arena.
  GrowingArena(std::string name, const Device& device, std::string remedy = {})
      : name_(std::move(name)), remedy_(std::move(remedy)), device_(device) {}

  // A contiguous tensor. Error when the device has no more memory.
  Tensor allocate(DType dtype, std::initializer_list<int64_t> shape);

  // The top of the stack, and back to an earlier one: what was allocated since is free again. Ops that were
  // given to the device before may still use it, those given later come after them.
  int64_t used() const { return chunks_.empty() ? 0 : begin_of_current_ + chunks_[current_].used(); }
  void rewind(int64_t used);
  // Bytes taken from the device for tensors that need so many at most, as they are from the second time on.
  static int64_t size_for(int64_t bytes) { return std::max(bytes, least_chunk); }
  // Bytes taken from the device, and the most that tensors took of them.
  int64_t size() const;
  int64_t peak() const { return peak_; }

 private:
  static constexpr int64_t least_chunk = 1 << 20;
  void add_chunk(int64_t bytes);

  std::string name_, remedy_;
  const Device& device_;
  // What one has no room for begins in the next one. A place of the stack counts the bytes of the chunks
  // below.
  std::vector<Arena> chunks_;
  size_t current_ = 0;
  int64_t begin_of_current_ = 0;
  int64_t used_below_ = 0;  // by tensors, in the chunks below
  int64_t peak_ = 0;
};

}  // namespace fathom
