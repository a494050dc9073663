#include "train/shuffle.h"

#include <bit>
#include <cassert>

#include "base/rng.h"

namespace fathom {

Shuffle::Shuffle(int64_t n, uint64_t seed, uint64_t round)
    : n_(static_cast<uint64_t>(n)),
      seed_(seed),
      round_(round),
      half_bits_((static_cast<int>(std::bit_width(n_ - 1)) + 1) / 2) {
  assert(n > 0);
}

int64_t Shuffle::operator()(int64_t i) const {
  constexpr uint64_t feistel_rounds = 6;
  const uint64_t mask = (uint64_t{1} << half_bits_) - 1;
  auto x = static_cast<uint64_t>(i);
  assert(x < n_);
  do {
    uint64_t left = x >> half_bits_, right = x & mask;
    for (uint64_t r = 0; r < feistel_rounds; ++r) {
      const auto bits = philox(seed_, right, round_ * feistel_rounds + r);
      const uint64_t mixed = left ^ ((bits[0] | static_cast<uint64_t>(bits[1]) << 32) & mask);
      left = right;
      right = mixed;
    }
    x = left << half_bits_ | right;
  } while (x >= n_);
  return static_cast<int64_t>(x);
}

}  // namespace fathom
