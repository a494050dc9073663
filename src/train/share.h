// A place among those that divide something evenly.
#pragma once
#include <cstdint>

namespace fathom {

struct Share {
  int rank = 0, ranks = 1;

  // Where they take turns: whether item i is this one's, how many of n items are, and which is its i-th.
  bool has(int64_t i) const { return i % ranks == rank; }
  int64_t count(int64_t n) const { return n > rank ? (n - rank - 1) / ranks + 1 : 0; }
  int64_t item(int64_t i) const { return rank + i * ranks; }
};

}  // namespace fathom
