// A seeded permutation of 0..n-1 computed point by point: a Feistel network over the next power of four,
// applied again while it leads outside (cycle walking). No memory, any element at any time.
#pragma once
#include <cstdint>

namespace fathom {

class Shuffle {
 public:
  // n > 0. Each (seed, round) gives another permutation; the data loader's rounds are epochs.
  Shuffle(int64_t n, uint64_t seed, uint64_t round);

  // Where element i, 0 <= i < n, stands: one-to-one.
  int64_t operator()(int64_t i) const;

 private:
  uint64_t n_, seed_, round_;
  int half_bits_;
};

}  // namespace fathom
