#include "ops/router_sort.h"

#include "support/op_test.h"

namespace fathom::testing {
namespace {

class RouterSortTest : public OpTest {
 protected:
  struct Case {
    Pair scores, ids, weights, logits, offsets, row_of, token_of;
    template <class Pick>
    RouterSort arguments(const Pick& pick) const {
      return {.router = {.scores = pick(scores),
                         .ids = pick(ids),
                         .weights = pick(weights),
                         .logits = pick(logits),
                         .normalize = true},
              .sort = {.offsets = pick(offsets),
                       .row_of = pick(row_of),
                       .token_of = pick(token_of),
                       .ids = pick(ids)}};
    }
  };
  // Logits far enough apart that rounding cannot change a choice: e * step % E are all different.
  Case make(int64_t N, int64_t E, int64_t K) {
    return {.scores = output_stat({N, E}),
            .ids = integers({N, K}),
            .weights = output_stat({N, K}),
            .logits = filled({N, E}, stat(),
                             [&](int64_t i) {
                               const int64_t step = 2 * (i / E * i / E % E) + 1;  // odd
                               return static_cast<double>(i % E * step % E) * 0.03 - 2;
                             }),
            .offsets = integers({E + 1}),
            .row_of = integers({N, K}),
            .token_of = integers({N * K})};
  }
};
FATHOM_OP_TEST(RouterSortTest);

TEST_P(RouterSortTest, ChoosesAndSorts) {
  for (int64_t N : {0, 1, 2, 15, 16, 17, 32, 33, 70})
    for (const auto& [E, K] : {std::pair<int64_t, int64_t>{64, 6}, {128, 8}, {8, 1}, {1024, 6}}) {
      const Case c = make(N, E, K);
      run(router_sort, [&](auto pick) { return c.arguments(pick); });
      expect_close("scores", c.scores);
      expect_close("ids", c.ids);
      expect_close("weights", c.weights);
      expect_close("offsets", c.offsets);
      expect_close("row_of", c.row_of);
      expect_close("token_of", c.token_of);
    }
}

TEST_P(RouterSortTest, TokensWithinGroups) {
  const Pair bias = random_stat({64}), none;
  for (const Pair& given : {none, bias})
    for (int64_t N : {5, 40}) {
      const Case c = make(N, 64, 6);
      run(router_sort, [&](auto pick) {
        RouterSort a = c.arguments(pick);
        a.router.n_groups = 8, a.router.topk_groups = 3, a.router.normalize = false, a.router.scaling = 16;
        a.router.bias = pick(given);
        return a;
      });
      expect_close("ids", c.ids);
      expect_close("weights", c.weights);
      expect_close("row_of", c.row_of);
    }
}

TEST_P(RouterSortTest, NamesTheFieldThatIsWrong) {
  const auto target = [](const Pair& p) { return p.target; };
  const Case good = make(3, 8, 2);
  EXPECT_NO_THROW(router_sort(device_, good.arguments(target)));
  RouterSort a = good.arguments(target);
  a.sort.ids = integers({3, 2}).target;
  EXPECT_THROW(router_sort(device_, a), Error);
  a = good.arguments(target);
  a.sort.offsets = integers({8}).target;
  EXPECT_THROW(router_sort(device_, a), Error);
  a = good.arguments(target);
  a.router.weights = output_stat({3, 1}).target;
  EXPECT_THROW(router_sort(device_, a), Error);
}

}  // namespace
}  // namespace fathom::testing
