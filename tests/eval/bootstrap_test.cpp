#include "eval/bootstrap.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/rng.h"

namespace fathom::testing {
namespace {

std::vector<ClusterSum> coins(int n, int in_cluster) {
  Rng rng(4);
  std::vector<ClusterSum> all;
  for (int i = 0; i < n; ++i) all.push_back({rng.uniform() < 0.3 ? 1.0 * in_cluster : 0.0, 1.0 * in_cluster});
  return all;
}

TEST(Bootstrap, IsTheSameOnAnyNumberOfThreads) {
  const Strata strata = {coins(50, 1), coins(70, 2)};
  const MeanInterval one = bootstrap(strata, true, 7, 1), many = bootstrap(strata, true, 7, 5);
  EXPECT_EQ(one.low, many.low);
  EXPECT_EQ(one.high, many.high);
  EXPECT_EQ(one.error, many.error);
  EXPECT_NE(one.error, bootstrap(strata, true, 8, 1).error);
}

TEST(Bootstrap, HasTheErrorOfAMean) {
  const std::vector<ClusterSum> clusters = coins(400, 1);
  const MeanInterval i = bootstrap({clusters}, true, 1, 1);
  const double expected = std::sqrt(i.mean * (1 - i.mean) / 400);
  EXPECT_NEAR(i.error, expected, 0.06 * expected);
  EXPECT_NEAR(i.low, i.mean - 1.96 * expected, 0.3 * expected);
  EXPECT_NEAR(i.high, i.mean + 1.96 * expected, 0.3 * expected);
  EXPECT_FALSE(i.wilson);
  // Of two means the errors add by their squares.
  const MeanInterval two = bootstrap({clusters, coins(400, 1)}, true, 1, 1);
  EXPECT_NEAR(two.error, expected / std::sqrt(2), 0.08 * expected);
  // Four items that always agree are worth one.
  std::vector<ClusterSum> alone;
  for (const ClusterSum& c : coins(100, 4))
    for (int k = 0; k < 4; ++k) alone.push_back({c.sum / 4, 1});
  EXPECT_NEAR(bootstrap({coins(100, 4)}, true, 1, 1).error / bootstrap({alone}, true, 1, 1).error, 2, 0.15);
}

TEST(Bootstrap, NeverHasAnIntervalWithoutAWidth) {
  for (const double share : {0.0, 1.0})
    for (const int n : {1, 4, 100}) {
      const MeanInterval i = bootstrap({std::vector<ClusterSum>(n, {share, 1})}, true, 1, 1);
      EXPECT_EQ(i.mean, share);
      EXPECT_TRUE(i.wilson);
      EXPECT_LT(i.low, i.high);
      EXPECT_GT(i.error, 0);
      EXPECT_GE(i.low, 0);
      EXPECT_LE(i.high, 1);
    }
  // Wilson's interval of 0 in 100 ends at z^2 / (n + z^2).
  EXPECT_NEAR(bootstrap({std::vector<ClusterSum>(100, {0, 1})}, true, 1, 1).high, 3.8415 / 103.8415, 1e-5);
}

}  // namespace
}  // namespace fathom::testing
