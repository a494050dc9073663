#include "ops/router.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

#include "support/op_test.h"

namespace fathom::testing {
namespace {

class RouterTest : public OpTest {
 protected:
  // Distinct logits in random order, far enough apart that rounding cannot change a choice.
  Pair distinct(int64_t N, int64_t E) {
    std::vector<int> order(E);
    return filled({N, E}, stat(), [&](int64_t i) {
      if (i % E == 0) {
        std::iota(order.begin(), order.end(), 0);
        for (int64_t e = E - 1; e > 0; --e) std::swap(order[e], order[rng_.below(e + 1)]);
      }
      return order[i % E] * 0.03 - 2;
    });
  }
  Pair logits(const std::vector<double>& values) {
    return filled({1, static_cast<int64_t>(values.size())}, stat(), [&](int64_t i) { return values[i]; });
  }
  // Routes one row on the device under test.
  std::vector<int32_t> chosen(const Pair& logits, int64_t K, int n_groups = 1, int topk_groups = 1) {
    const Pair ids = integers({1, K}), weights = output_stat({1, K});
    router_forward(device_, {.scores = logits.target,
                             .ids = ids.target,
                             .weights = weights.target,
                             .logits = logits.target,
                             .n_groups = n_groups,
                             .topk_groups = topk_groups});
    return {ids.target.as<int32_t>(), ids.target.as<int32_t>() + K};
  }
};
FATHOM_OP_TEST(RouterTest);

TEST_P(RouterTest, ForwardAndBackward) {
  struct Case {
    int64_t E, K;
    int n_groups, topk_groups;
  };
  for (const Case& c : {Case{1, 1, 1, 1}, Case{5, 5, 1, 1}, Case{64, 6, 1, 1}, Case{131, 32, 1, 1},
                        Case{160, 6, 8, 3}, Case{512, 8, 8, 4}, Case{6, 2, 3, 1}})
    for (bool normalize : {false, true}) {
      const int64_t N = 9;
      const Pair x = distinct(N, c.E), scores = output_stat({N, c.E}), weights = output_stat({N, c.K});
      const Pair ids = integers({N, c.K}), dlogits = output_stat({N, c.E}), none;
      const Pair dweights = random_stat({N, c.K}), dscores = random_stat({N, c.E});
      run(router_forward, [&](auto pick) {
        return RouterForward{.scores = pick(scores),
                             .ids = pick(ids),
                             .weights = pick(weights),
                             .logits = pick(x),
                             .n_groups = c.n_groups,
                             .topk_groups = c.topk_groups,
                             .normalize = normalize,
                             .scaling = 16};
      });
      expect_close("scores", scores);
      expect_close("ids", ids);
      expect_close("weights", weights);
      if (c.E == 1) continue;  // the gradient is zero but for rounding
      for (const Pair& extra : {none, dscores}) {
        run(router_backward, [&](auto pick) {
          return RouterBackward{.dlogits = pick(dlogits),
                                .dweights = pick(dweights),
                                .dscores = pick(extra),
                                .scores = pick(scores),
                                .ids = pick(ids),
                                .normalize = normalize,
                                .scaling = 16};
        });
        // Normalised weights are a difference of nearly equal terms.
        expect_close("dlogits", dlogits, 4);
      }
    }
}

// As transformers does: `if top_k > 1 and norm_topk_prob`.
TEST_P(RouterTest, OneExpertPerTokenKeepsItsScore) {
  const Pair x = logits({0.5, 2, 1, -1}), scores = output_stat({1, 4}), weights = output_stat({1, 1}),
             ids = integers({1, 1}), dlogits = output_stat({1, 4}), dweights = random_stat({1, 1}), none;
  run(router_forward, [&](auto pick) {
    return RouterForward{.scores = pick(scores),
                         .ids = pick(ids),
                         .weights = pick(weights),
                         .logits = pick(x),
                         .normalize = true,
                         .scaling = 2.5};
  });
  const double score = std::exp(2.0) / (std::exp(0.5) + std::exp(2.0) + std::exp(1.0) + std::exp(-1.0));
  EXPECT_NEAR(element(weights.target, 0, 0), 2.5 * score, 1e-6);
  run(router_backward, [&](auto pick) {
    return RouterBackward{.dlogits = pick(dlogits),
                          .dweights = pick(dweights),
                          .dscores = pick(none),
                          .scores = pick(scores),
                          .ids = pick(ids),
                          .normalize = true,
                          .scaling = 2.5};
  });
  expect_close("dlogits", dlogits);
  EXPECT_NEAR(element(dlogits.target, 0, 1), 2.5 * score * (1 - score) * element(dweights.target, 0, 0),
              1e-6);
}

TEST_P(RouterTest, InPlace) {
  const Pair x = distinct(3, 20), ids = integers({3, 4}), weights = output_stat({3, 4}),
             dweights = random_stat({3, 4}), dscores = random_stat({3, 20});
  run(router_forward, [&](auto pick) {
    return RouterForward{.scores = pick(x), .ids = pick(ids), .weights = pick(weights), .logits = pick(x)};
  });
  expect_close("scores", x);
  run(router_backward, [&](auto pick) {
    return RouterBackward{.dlogits = pick(dscores),
                          .dweights = pick(dweights),
                          .dscores = pick(dscores),
                          .scores = pick(x),
                          .ids = pick(ids)};
  });
  expect_close("dlogits", dscores, 4);
}

TEST_P(RouterTest, EqualScoresGoToTheLowerId) {
  EXPECT_THAT(chosen(logits({1, 3, 3, 1, 3, 3}), 3), ::testing::ElementsAre(1, 2, 4));
  EXPECT_THAT(chosen(logits({1, 1, 1, 1, 1, 1, 1, 1}), 3, 4, 2), ::testing::ElementsAre(0, 1, 2));
}

TEST_P(RouterTest, GroupsAreRankedByTheirMaximum) {
  // By sum the first group would win.
  EXPECT_THAT(chosen(logits({4, 4, 4, 0, 5, 0}), 2, 2, 1), ::testing::ElementsAre(4, 3));
}

TEST_P(RouterTest, MaskedExpertsAreNeverChosen) {
  // All scores but one underflow to zero: equal to the masked ones, yet only the best group may be used.
  EXPECT_THAT(chosen(logits({-300, -300, 0, -300}), 2, 2, 1), ::testing::ElementsAre(2, 3));
}

TEST_P(RouterTest, NanStillGivesDistinctExperts) {
  for (double bad : {double(NAN), double(INFINITY)})
    for (int n_groups : {1, 2, 4}) {
      const int topk_groups = n_groups == 4 ? 2 : 1;
      const auto ids = chosen(logits({0, bad, 2, 3, bad, 1, 0, 7}), 3, n_groups, topk_groups);
      const std::set<int32_t> distinct(ids.begin(), ids.end());
      EXPECT_EQ(distinct.size(), 3u);
      EXPECT_GE(*distinct.begin(), 0);
      EXPECT_LT(*distinct.rbegin(), 8);
    }
}

TEST_P(RouterTest, GradientsMatchDifferences) {
  for (const auto& [choices, normalized] : {std::pair(3, false), std::pair(3, true), std::pair(1, true)}) {
    const int64_t K = choices;  // clang 14 captures no structured binding
    const bool normalize = normalized;
    const Pair x = distinct(3, 8), scores = output_stat({3, 8}), weights = output_stat({3, K}),
               ids = integers({3, K}), dlogits = output_stat({3, 8});
    const Pair dweights = random_stat({3, K}), dscores = random_stat({3, 8}),
               zero = filled({3, K}, stat(), [](int64_t) { return 0; });
    auto forward = [&](Device& d) {
      router_forward(d, {.scores = scores.ref,
                         .ids = ids.ref,
                         .weights = weights.ref,
                         .logits = x.ref,
                         .n_groups = 4,
                         .topk_groups = 2,
                         .normalize = normalize,
                         .scaling = 2.5});
    };
    Device reference = Device::reference();
    forward(reference);
    RouterBackward backward{.dlogits = dlogits.ref,
                            .dweights = dweights.ref,
                            .scores = scores.ref,
                            .ids = ids.ref,
                            .normalize = normalize,
                            .scaling = 2.5};
    router_backward(reference, backward);
    expect_gradient("through the weights", x.ref, dlogits.ref, weights.ref, dweights.ref, forward);
    backward.dweights = zero.ref, backward.dscores = dscores.ref;
    router_backward(reference, backward);
    expect_gradient("through the scores", x.ref, dlogits.ref, scores.ref, dscores.ref, forward);
  }
}

TEST_P(RouterTest, RefusesWhatCannotBeChosen) {
  const Pair x = distinct(1, 6);
  EXPECT_THROW(chosen(x, 7), Error);
  EXPECT_THROW(chosen(x, 3, 3, 1), Error);  // one group of two experts
  EXPECT_THROW(chosen(x, 2, 4, 2), Error);  // six experts in four groups
  EXPECT_THROW(chosen(x, 2, 3, 4), Error);
  EXPECT_THROW(chosen(x, 2, 3, 0), Error);
}

}  // namespace
}  // namespace fathom::testing
