#include "ops/router_replay.h"

#include "ops/router.h"
#include "support/op_test.h"

namespace fathom::testing {
namespace {

class RouterReplayTest : public OpTest {};
FATHOM_OP_TEST(RouterReplayTest);

TEST_P(RouterReplayTest, GivenExpertsGetTheWeightsOfTheirScores) {
  struct Case {
    int64_t N, E, K;
    bool normalize;
  };
  for (const Case& c : {Case{1, 1, 1, true}, Case{5, 7, 3, false}, Case{300, 64, 6, true}}) {
    const int64_t R = 11;
    const Pair scores = filled({c.N, c.E}, stat(), [&](int64_t) { return 0.01 + rng_.uniform(); });
    std::vector<int32_t> given, rows;
    for (int64_t r = 0; r < R; ++r)
      for (int64_t k = 0; k < c.K; ++k) given.push_back(static_cast<int32_t>((r * 5 + k) % c.E));
    for (int64_t n = 0; n < c.N; ++n) rows.push_back(static_cast<int32_t>(n * 3 % R));
    const Pair ids = integers({c.N, c.K}), weights = output_stat({c.N, c.K}),
               table = integers({R, c.K}, given), row = integers({c.N}, rows);
    run(router_replay, [&](auto pick) {
      return RouterReplay{.ids = pick(ids),
                          .weights = pick(weights),
                          .scores = pick(scores),
                          .given = pick(table),
                          .rows = pick(row),
                          .normalize = c.normalize,
                          .scaling = 2.5};
    });
    expect_close("ids", ids);
    expect_close("weights", weights);
    for (int64_t k = 0; k < c.K; ++k)
      EXPECT_EQ(ids.ref.row<int32_t>(c.N - 1)[k], given[rows.back() * c.K + k]);
  }
}

// As a token without a recorded choice in a batch where others have one.
TEST_P(RouterReplayTest, ANegativeRowLeavesTheRoutersChoice) {
  const int64_t N = 5, E = 8, K = 2;
  const Pair scores = filled({N, E}, stat(), [&](int64_t) { return 0.01 + rng_.uniform(); });
  const Pair ids = integers({N, K}, std::vector<int32_t>(N * K, 7)), weights = random_stat({N, K}),
             table = integers({1, K}, {3, 1}), rows = integers({N}, {0, -1, 0, -1, -1});
  const double kept = element(weights.target, 3, 1);
  run(router_replay, [&](auto pick) {
    return RouterReplay{.ids = pick(ids),
                        .weights = pick(weights),
                        .scores = pick(scores),
                        .given = pick(table),
                        .rows = pick(rows)};
  });
  expect_close("ids", ids);
  expect_close("weights", weights);
  for (int64_t n = 0; n < N; ++n)
    EXPECT_EQ(ids.target.row<int32_t>(n)[0], rows.ref.as<int32_t>()[n] < 0 ? 7 : 3);
  EXPECT_EQ(element(weights.target, 3, 1), kept);
}

TEST_P(RouterReplayTest, WhatTheRouterChoseIsReplayedWithItsWeights) {
  const int64_t N = 9, E = 16, K = 4;
  for (const bool normalize : {false, true}) {
    const Pair scores = random_stat({N, E}), ids = integers({N, K}), again = integers({N, K}),
               weights = output_stat({N, K}), replayed = output_stat({N, K});
    std::vector<int32_t> each(N);
    for (int64_t n = 0; n < N; ++n) each[n] = static_cast<int32_t>(n);
    const Pair rows = integers({N}, each);
    router_forward(device_, {.scores = scores.target,
                             .ids = ids.target,
                             .weights = weights.target,
                             .logits = scores.target,
                             .n_groups = 4,
                             .topk_groups = 2,
                             .normalize = normalize,
                             .scaling = 16});
    router_replay(device_, {.ids = again.target,
                            .weights = replayed.target,
                            .scores = scores.target,
                            .given = ids.target,
                            .rows = rows.target,
                            .normalize = normalize,
                            .scaling = 16});
    EXPECT_EQ(relative_error(again.target, ids.target), 0);
    EXPECT_LE(relative_error(replayed.target, weights.target), tolerance(stat()));
  }
}

TEST_P(RouterReplayTest, RefusesExpertsAndRowsThatDoNotExist) {
  if (GetParam().backend == Backend::cuda) return;  // their maker has checked them
  const Pair scores = random_stat({1, 4}), ids = integers({1, 2}), weights = output_stat({1, 2});
  const auto replay = [&](const std::vector<int32_t>& given, int32_t row) {
    const Pair table = integers({1, 2}, given), rows = integers({1}, {row});
    router_replay(device_, {.ids = ids.target,
                            .weights = weights.target,
                            .scores = scores.target,
                            .given = table.target,
                            .rows = rows.target});
  };
  EXPECT_NO_THROW(replay({0, 3}, 0));
  EXPECT_THROW(replay({0, 4}, 0), Error);
  EXPECT_THROW(replay({-1, 3}, 0), Error);
  EXPECT_THROW(replay({0, 3}, 1), Error);
  EXPECT_NO_THROW(replay({0, 4}, -1)) << "a row that nobody takes";
}

}  // namespace
}  // namespace fathom::testing
