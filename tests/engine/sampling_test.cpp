#include "engine/sampling.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "support/temp_dir.h"

namespace fathom {
namespace {

TEST(Sampling, TheDrawDependsOnSeedAndPositionAlone) {
  std::set<double> draws;
  for (uint64_t seed = 0; seed < 30; ++seed)
    for (int64_t position = 0; position < 30; ++position) {
      const double draw = sampling_draw({.temperature = 1, .seed = seed}, position);
      EXPECT_EQ(draw, sampling_draw({.top_k = 3, .seed = seed}, position));
      EXPECT_GE(draw, 0);
      EXPECT_LT(draw, 1);
      draws.insert(draw);
    }
  EXPECT_EQ(draws.size(), 900u);
}

TEST(Sampling, ImpossibleParametersAreErrors) {
  const auto complains = [](SamplingParameters p, const char* name) {
    return error_of([&] { check_sampling(p); }).find(name) != std::string::npos;
  };
  EXPECT_TRUE(complains({.temperature = -1}, "temperature"));
  EXPECT_TRUE(complains({.temperature = NAN}, "temperature"));
  EXPECT_TRUE(complains({.top_k = -1}, "top_k"));
  EXPECT_TRUE(complains({.top_p = 0}, "top_p"));
  EXPECT_TRUE(complains({.top_p = 1.5}, "top_p"));
  EXPECT_TRUE(complains({.top_p = NAN}, "top_p"));
  EXPECT_TRUE(complains({.min_p = -0.1}, "min_p"));
  EXPECT_TRUE(complains({.min_p = NAN}, "min_p"));
  EXPECT_EQ(error_of([] { check_sampling({.temperature = 0.7, .top_k = 40, .top_p = 1, .min_p = 1}); }), "");
}

}  // namespace
}  // namespace fathom
