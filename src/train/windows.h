// Windows: what a run learns from, or is measured with, cut into pieces that are read in any order and packed
// into batches. Each has a place: a number that a WindowOrder gives.
#pragma once
#include <cstdint>
#include <span>

#include "train/packed_step.h"

namespace fathom {

// What a window adds to a step.
struct WindowSize {
  int64_t tokens = 0, targets = 0;
  double weight = 0;  // of the targets

  WindowSize& operator+=(const WindowSize& other) {
    tokens += other.tokens, targets += other.targets, weight += other.weight;
    return *this;
  }
};

class Windows {
 public:
  virtual ~Windows() = default;

  // Fills `out` with the windows at these places, one after another. batch.exempt has an entry for each unit
  // of token dropping, none of them exempt. Safe from several threads.
  virtual void pack(std::span<const int64_t> places, PackedBatch& out) const = 0;
  // What pack() makes of one. The weight of several that are packed together is the sum of theirs, in order:
  // all ranks come to the same.
  virtual WindowSize size(int64_t place) const = 0;
};

}  // namespace fathom
