// For tests of rows in expert order: sorts slots with the op itself.
#pragma once
#include "ops/expert_sort.h"
#include "support/op_test.h"

namespace fathom::testing {

class ExpertOrderTest : public OpTest {
 protected:
  struct Order {
    Pair offsets, row_of, token_of;
  };
  Order sort(int64_t N, int64_t K, int64_t E, const std::vector<int32_t>& choices) {
    const Order o{integers({E + 1}), integers({N, K}), integers({N * K})};
    const Pair ids = integers({N, K}, choices);
    run(expert_sort, [&](auto pick) {
      return ExpertSort{.offsets = pick(o.offsets),
                        .row_of = pick(o.row_of),
                        .token_of = pick(o.token_of),
                        .ids = pick(ids)};
    });
    return o;
  }
  Order sort_random(int64_t N, int64_t K, int64_t E) {
    std::vector<int32_t> choices(N * K);
    for (int32_t& c : choices) c = static_cast<int32_t>(rng_.below(E));
    return sort(N, K, E, choices);
  }
};

}  // namespace fathom::testing
