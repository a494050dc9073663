// Tests and intervals against statsmodels, scipy and numpy: golden.json, by tools/make_compare_golden.py.
#include "compare/paired_tests.h"

#include <gtest/gtest.h>

#include <cmath>

#include "eval/bootstrap.h"
#include "io/json.h"
#include "support/paths.h"

namespace fathom::testing {
namespace {

Json golden(const std::string& part) {
  return read_json(source_dir() + "/tests/compare/golden.json").at(part);
}

TEST(PairedTests, McNemarIsThatOfStatsmodels) {
  for (const Json& c : golden("mcnemar")) {
    const double p = mcnemar_exact(c.at("only_a"), c.at("only_b")), expected = c.at("p");
    EXPECT_NEAR(p, expected, 1e-9 * expected) << c;
    EXPECT_EQ(p, mcnemar_exact(c.at("only_b"), c.at("only_a")));
  }
}

TEST(PairedTests, McNemarHoldsForAnyNumber) {
  // 2 * 2^-n, where a sum of plain doubles would be 0.
  EXPECT_NEAR(std::log(mcnemar_exact(1000, 0)), -999 * std::log(2.0), 1e-9);
  EXPECT_NEAR(mcnemar_exact(1000000, 1000000), 1, 1e-9);
  EXPECT_EQ(mcnemar_exact(2000000, 0), 0);  // below any double
}

TEST(PairedTests, SignFlipsAreThoseOfScipy) {
  for (const Json& c : golden("sign_flips")) {
    std::vector<double> parts;
    const size_t n = c.at("a").size();
    for (size_t i = 0; i < n; ++i) parts.push_back(c.at("a")[i]), parts.push_back(c.at("b")[i]);
    const SignFlips flips(parts, 2, 3, 2);
    const double p = flips.p(0, 1), expected = c.at("p");
    EXPECT_EQ(flips.exact(), n <= 13);
    // Of 9999 draws the share has this standard error.
    const double error = std::sqrt(expected * (1 - expected) / 9999);
    EXPECT_NEAR(p, expected, flips.exact() ? 1e-12 : 4 * error + 1e-4) << c;
    EXPECT_EQ(p, flips.p(1, 0));
    EXPECT_EQ(p, SignFlips(parts, 2, 3, 1).p(0, 1)) << "on any number of threads";
  }
}

TEST(PairedTests, EqualModelsDoNotDiffer) {
  const std::vector<double> parts(2 * 40, 0.1);
  EXPECT_EQ(SignFlips(parts, 2, 1, 1).p(0, 1), 1);
}

TEST(PairedTests, HolmIsThatOfStatsmodels) {
  for (const Json& c : golden("holm")) {
    const std::vector<double> adjusted = holm(c.at("p"));
    for (size_t i = 0; i < adjusted.size(); ++i) EXPECT_NEAR(adjusted[i], c.at("adjusted")[i], 1e-12);
  }
  EXPECT_TRUE(holm({}).empty());
}

TEST(PairedBootstrap, IsThatOfNumpy) {
  for (const Json& c : golden("bootstrap")) {
    std::vector<JointStratum> strata;
    for (const Json& s : c.at("strata")) {
      JointStratum& stratum = strata.emplace_back();
      stratum.counts = s.at("counts").get<std::vector<double>>();
      for (size_t i = 0; i < stratum.counts.size(); ++i)
        stratum.sums.push_back(s.at("a")[i]), stratum.sums.push_back(s.at("b")[i]);
    }
    const std::vector<double> draws = joint_draws(strata, 2, 5, 2);
    std::vector<double> differences;
    for (size_t d = 0; d < draws.size(); d += 2) differences.push_back(draws[d + 1] - draws[d]);
    const MeanInterval i = interval_of_draws(differences, 0);
    const double error = c.at("error");
    // The error of 2000 draws' standard deviation is 1.6%, that of their 2.5% quantile 0.06 of it.
    EXPECT_NEAR(i.error, error, 0.06 * error);
    EXPECT_NEAR(i.low, c.at("low"), 0.25 * error);
    EXPECT_NEAR(i.high, c.at("high"), 0.25 * error);
  }
}

}  // namespace
}  // namespace fathom::testing
