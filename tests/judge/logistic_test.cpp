#include "judge/logistic.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "base/rng.h"

namespace fathom {
namespace {

std::vector<LogisticRow> random_rows(int count, uint64_t seed) {
  Rng rng(seed);
  std::vector<LogisticRow> rows;
  for (int i = 0; i < count; ++i) {
    LogisticRow row{{rng.normal(), rng.normal(), i % 3 ? 1.0 : 0.0}, 0, 0.1 + rng.uniform()};
    row.target = sigmoid(1.5 * row.features[0] - 0.7 * row.features[2] + 0.5 * rng.normal());
    rows.push_back(row);
  }
  return rows;
}

// d/dw of strength * sum of weighted losses, by hand.
LogisticWeights smooth_gradient(std::span<const LogisticRow> rows, double strength,
                                const LogisticWeights& w) {
  LogisticWeights g{};
  for (const LogisticRow& row : rows)
    for (size_t i = 0; i < g.size(); ++i)
      g[i] += strength * row.weight * (sigmoid(logit_of(w, row.features)) - row.target) * row.features[i];
  return g;
}

// The conditions of a minimum: -sign(w) where w is not 0, within [-1, 1] where it is.
TEST(Logistic, MeetsTheConditionsOfAMinimum) {
  const std::vector<LogisticRow> rows = random_rows(200, 3);
  int zeros = 0;
  for (const double strength : {1e-3, 0.02, 0.05, 0.1, 1.0, 30.0, 1e4}) {
    const LogisticWeights w = fit_logistic(rows, strength), g = smooth_gradient(rows, strength, w);
    for (size_t i = 0; i < w.size(); ++i) {
      zeros += w[i] == 0;
      if (w[i] == 0)
        EXPECT_LE(std::abs(g[i]), 1 + 1e-9) << strength;
      else
        EXPECT_NEAR(g[i], w[i] > 0 ? -1 : 1, 1e-6 * std::max(1.0, strength)) << strength;
    }
  }
  EXPECT_GE(zeros, 4);
}

TEST(Logistic, AWeightCountsAsThatManyRows) {
  std::vector<LogisticRow> rows = random_rows(50, 5), doubled;
  for (LogisticRow& row : rows) {
    row.weight = 1;
    doubled.insert(doubled.end(), 2, row);
    row.weight = 2;
  }
  const LogisticWeights once = fit_logistic(rows, 1), twice = fit_logistic(doubled, 1);
  for (size_t i = 0; i < once.size(); ++i) EXPECT_NEAR(once[i], twice[i], 1e-8);
}

TEST(Logistic, SeparableAndAbsentFeatures) {
  const std::vector<LogisticRow> rows = {{{1, 0, 0}, 1}, {{-1, 0, 0}, 0}};
  const LogisticWeights w = fit_logistic(rows, 100);
  EXPECT_GT(w[0], 3);
  EXPECT_EQ(w[1], 0);
  EXPECT_EQ(fit_logistic({}, 1), LogisticWeights{});
  EXPECT_EQ(logistic_loss({}, w), 0);
  EXPECT_NEAR(logistic_loss(rows, {0, 0, 0}), std::log(2.0), 1e-15);
}

}  // namespace
}  // namespace fathom
