#include "tensor/growing_arena.h"

#include <algorithm>
#include <cassert>

#include "base/progress.h"

namespace fathom {

Tensor GrowingArena::allocate(DType dtype, std::initializer_list<int64_t> shape) {
  const int64_t bytes = (Tensor(nullptr, dtype, shape).bytes() + 63) / 64 * 64;
  if (chunks_.empty()) add_chunk(bytes);
  while (chunks_[current_].size() - chunks_[current_].used() < bytes) {
    if (current_ + 1 == chunks_.size()) add_chunk(bytes);
    used_below_ += chunks_[current_].used();
    begin_of_current_ += chunks_[current_++].size();
  }
  const Tensor t = chunks_[current_].allocate(dtype, shape);
  peak_ = std::max(peak_, used_below_ + chunks_[current_].used());
  return t;
}

// Growth by a share of what there is, so that ever larger steps seldom grow.
void GrowingArena::add_chunk(int64_t bytes) {
  const int64_t have = size();
  const std::string name =
      have == 0 ? name_ : name_ + ", which have " + human_bytes(static_cast<double>(have));
  chunks_.emplace_back(name, std::max({bytes, have / 8, least_chunk}), device_, remedy_);
}

void GrowingArena::rewind(int64_t to) {
  assert(to >= 0 && to <= used());
  while (to < begin_of_current_) {
    chunks_[current_].rewind(0);
    begin_of_current_ -= chunks_[--current_].size();
    used_below_ -= chunks_[current_].used();
  }
  if (chunks_.empty()) return;
  chunks_[current_].rewind(to - begin_of_current_);
  if (to > 0 || chunks_.size() == 1) return;
  chunks_.clear();
  add_chunk(peak_);  // one chunk has no gaps at the ends of several
}

int64_t GrowingArena::size() const {
  int64_t bytes = 0;
  for (const Arena& chunk : chunks_) bytes += chunk.size();
  return bytes;
}

}  // namespace fathom
