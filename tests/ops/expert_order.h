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
  Order sort_random(int64_t N, int64_t K, int64_t E) { return sort(N, K, E, random_choices(N * K, E)); }
  // Every third slot goes nowhere.
  Order sort_with_dropped(int64_t N, int64_t K, int64_t E) {
    std::vector<int32_t> choices = random_choices(N * K, E);
    for (size_t i = 0; i < choices.size(); i += 3) choices[i] = ExpertSort::nowhere;
    return sort(N, K, E, choices);
  }
  // Rows that are some expert's.
  static int64_t used_rows(const Order& o) { return o.offsets.ref.as<int32_t>()[o.offsets.ref.cols() - 1]; }
  static Pair used(const Pair& rows, const Order& o) {
    return {rows.ref.slice(0, used_rows(o)), rows.target.slice(0, used_rows(o))};
  }

 private:
  std::vector<int32_t> random_choices(int64_t slots, int64_t E) {
    std::vector<int32_t> choices(slots);
    for (int32_t& c : choices) c = static_cast<int32_t>(rng_.below(E));
    return choices;
  }
};

}  // namespace fathom::testing
