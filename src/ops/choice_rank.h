// The order in which a group of experts takes choices (ops/capacity.h), as numbers.
#pragma once
#include <cstdint>

namespace fathom {

// Of two choices of a unit the one with the higher score, or the same score and the lower slot n * K + k, has
// the larger rank; no two are equal. `score` is a probability's bits as an f32: they ascend with it.
constexpr uint64_t choice_rank(uint32_t score, int64_t slot) {
  return uint64_t{score} << 32 | (UINT32_MAX - static_cast<uint32_t>(slot));
}

}  // namespace fathom
