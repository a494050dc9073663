// The few sizes that decoding batches are filled up to, so that steps of growing, shrinking and advancing
// sequences have the same form and can be replayed (tensor/replay.h).
#pragma once
#include <algorithm>
#include <bit>
#include <cstdint>

namespace fathom {

// Sequences of a batch, 1 <= n <= most: exact up to 8, then four sizes in every doubling (10, 12, 14, 16, 20,
// ...), at most `most`. Less than a fifth of a batch is padding.
inline int64_t sequence_bucket(int64_t n, int64_t most) {
  const auto step = std::max<int64_t>(static_cast<int64_t>(std::bit_ceil(static_cast<uint64_t>(n))) / 8, 1);
  return std::min((n + step - 1) / step * step, most);
}

// Columns of a block table, 1 <= pages <= most: powers of two from 16 on, at most `most`.
inline int64_t page_bucket(int64_t pages, int64_t most) {
  return std::min(static_cast<int64_t>(std::bit_ceil(static_cast<uint64_t>(std::max<int64_t>(pages, 16)))),
                  most);
}

}  // namespace fathom
