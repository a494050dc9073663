// The sampler's distribution, filter by filter, and what it refuses.
#include "engine/sampler.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>

#include "base/rng.h"
#include "support/temp_dir.h"

namespace fathom {
namespace {

int32_t sample(std::vector<float> logits, const SamplingParameters& p, int64_t position = 0,
               int64_t vocabulary = 0) {
  const auto V = static_cast<int64_t>(logits.size());
  Sampler sampler(vocabulary ? vocabulary : V);
  return sampler.sample(Tensor(logits.data(), DType::f32, {V}), p, position);
}

std::map<int32_t, int> histogram(std::vector<float> logits, SamplingParameters p, int draws) {
  const auto V = static_cast<int64_t>(logits.size());
  Sampler sampler(V);
  std::map<int32_t, int> counts;
  for (int i = 0; i < draws; ++i) ++counts[sampler.sample(Tensor(logits.data(), DType::f32, {V}), p, i)];
  return counts;
}

// Chi-square of the draws against probabilities; ids missing there must not occur.
double chi_square(const std::map<int32_t, int>& counts, const std::map<int32_t, double>& expected,
                  int draws) {
  double sum = 0;
  for (const auto& [id, n] : counts) EXPECT_TRUE(expected.contains(id)) << "drew " << id;
  for (const auto& [id, p] : expected) {
    const auto at = counts.find(id);
    const double d = (at == counts.end() ? 0 : at->second) - p * draws;
    sum += d * d / (p * draws);
  }
  return sum;
}

std::vector<float> logs(std::initializer_list<double> probabilities) {
  std::vector<float> out;
  for (const double p : probabilities) out.push_back(static_cast<float>(std::log(p)));
  return out;
}

TEST(Sampler, GreedyTakesTheMostLikelyAndOfEqualsTheLowestId) {
  EXPECT_EQ(sample({1, 5, 3, 5}, {}), 1);
  EXPECT_EQ(sample({-3}, {}), 0);
  double wide[] = {0.0, 1.0, 1.0 + 1e-6};
  EXPECT_EQ(Sampler(3).sample(Tensor(wide, DType::f64, {3}), {}, 0), 2);
}

// 20,000 draws; the bounds are the 99.9% points of chi-square with as many degrees of freedom. The seed is
// fixed.
TEST(Sampler, DrawsFollowTheTemperedSoftmax) {
  constexpr int draws = 20000;
  const std::vector<float> logits = logs({0.4, 0.3, 0.2, 0.1});
  EXPECT_LT(chi_square(histogram(logits, {.temperature = 1, .seed = 5}, draws),
                       {{0, 0.4}, {1, 0.3}, {2, 0.2}, {3, 0.1}}, draws),
            16.27);
  // Temperature 1/2 squares the probabilities.
  EXPECT_LT(chi_square(histogram(logits, {.temperature = 0.5, .seed = 5}, draws),
                       {{0, 0.16 / 0.3}, {1, 0.09 / 0.3}, {2, 0.04 / 0.3}, {3, 0.01 / 0.3}}, draws),
            16.27);
}

TEST(Sampler, TopKKeepsKAndRenormalises) {
  constexpr int draws = 20000;
  const std::vector<float> logits = logs({0.1, 0.4, 0.2, 0.3});
  EXPECT_LT(chi_square(histogram(logits, {.temperature = 1, .top_k = 2, .seed = 9}, draws),
                       {{1, 4.0 / 7}, {3, 3.0 / 7}}, draws),
            10.83);
  EXPECT_EQ(histogram(logits, {.temperature = 1, .top_k = 1}, 100), (std::map<int32_t, int>{{1, 100}}));
  EXPECT_EQ(histogram(logits, {.temperature = 1, .top_k = 99}, 1000).size(), 4u);
  EXPECT_EQ(histogram({0, 0, 0, 0}, {.temperature = 1, .top_k = 2}, 200).rbegin()->first, 1);
}

TEST(Sampler, TopPKeepsTheFewestThatHoldTheMass) {
  const std::vector<float> logits = logs({0.1, 0.4, 0.2, 0.3});
  const auto kept = [&](double p) { return histogram(logits, {.temperature = 1, .top_p = p}, 2000).size(); };
  EXPECT_EQ(kept(1e-9), 1u);
  EXPECT_EQ(kept(0.39), 1u);
  EXPECT_EQ(kept(0.41), 2u);
  EXPECT_EQ(kept(0.69), 2u);
  EXPECT_EQ(kept(0.71), 3u);
  EXPECT_EQ(kept(0.95), 4u);
  EXPECT_EQ(kept(1), 4u);
}

// Many equal tokens: the sorted part must grow past its first block.
TEST(Sampler, TopPOverAFlatVocabulary) {
  constexpr int V = 500, draws = 20000;
  const auto counts =
      histogram(std::vector<float>(V, 1.5f), {.temperature = 1, .top_p = 0.4, .seed = 3}, draws);
  EXPECT_EQ(counts.rbegin()->first, 199) << "the lowest ids go first";
  std::map<int32_t, double> expected;
  for (int i = 0; i < 200; ++i) expected[i] = 1.0 / 200;
  EXPECT_LT(chi_square(counts, expected, draws), 266.4);  // 199 degrees of freedom
}

TEST(Sampler, MinPIsRelativeToTheMostLikely) {
  const std::vector<float> logits = logs({0.1, 0.4, 0.2, 0.3});
  const auto kept = [&](double p) { return histogram(logits, {.temperature = 1, .min_p = p}, 2000).size(); };
  EXPECT_EQ(kept(0.24), 4u);
  EXPECT_EQ(kept(0.26), 3u);
  EXPECT_EQ(kept(0.51), 2u);
  EXPECT_EQ(kept(1), 1u);
}

TEST(Sampler, FiltersApplyInOrder) {
  // Temperature first: at 1/2 the probabilities are .533 .3 .133 .033, and top-p 0.82 keeps two of them, not
  // three.
  const std::vector<float> logits = logs({0.4, 0.3, 0.2, 0.1});
  EXPECT_EQ(histogram(logits, {.temperature = 0.5, .top_p = 0.82}, 2000).size(), 2u);
  // Then top-k, so that top-p looks at 4/7 and 3/7.
  EXPECT_EQ(histogram(logits, {.temperature = 1, .top_k = 2, .top_p = 0.5}, 2000).size(), 1u);
}

TEST(Sampler, DependsOnSeedAndPositionAlone) {
  std::vector<float> logits(1000), more(1000);
  Rng rng(1);
  for (float& l : logits) l = static_cast<float>(rng.normal());
  const SamplingParameters p{.temperature = 1, .seed = 42};
  Sampler used(1000), fresh(1000);
  const auto draw = [&](Sampler& s, int64_t position, const SamplingParameters& parameters) {
    return s.sample(Tensor(logits.data(), DType::f32, {1000}), parameters, position);
  };
  for (int i = 0; i < 50; ++i) draw(used, i, {.temperature = 2, .top_k = 7, .seed = 8});
  int same_seed = 0, same_position = 0;
  for (int i = 0; i < 50; ++i) {
    EXPECT_EQ(draw(used, i, p), draw(fresh, i, p));
    same_position += draw(fresh, i, p) == draw(fresh, i, {.temperature = 1, .seed = 43});
    same_seed += draw(fresh, i, p) == draw(fresh, i + 1, p);
  }
  EXPECT_LT(same_position, 5);
  EXPECT_LT(same_seed, 5);
}

TEST(Sampler, PaddingOfTheVocabularyIsNeverPicked) {
  EXPECT_EQ(sample({1, 2, 9}, {}, 0, 2), 1);
  for (int i = 0; i < 100; ++i) EXPECT_LT(sample({1, 2, 9}, {.temperature = 5}, i, 2), 2);
  constexpr float nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(sample({1, 2, nan}, {}, 0, 2), 1);
}

TEST(Sampler, ExtremeTemperatures) {
  EXPECT_EQ(sample({1, 2, 2.5f}, {.temperature = 1e-30}), 2);
  EXPECT_EQ(sample({-3e38f, 3e38f}, {.temperature = 1e-300}), 1);
  EXPECT_EQ(histogram({0, 50}, {.temperature = 1e9}, 500).size(), 2u);
  constexpr float infinity = std::numeric_limits<float>::infinity();
  EXPECT_EQ(histogram({-infinity, 0, -infinity}, {.temperature = 10}, 100),
            (std::map<int32_t, int>{{1, 100}}));
}

TEST(Sampler, LogitsThatAreNotFiniteAreErrors) {
  constexpr float nan = std::numeric_limits<float>::quiet_NaN(),
                  infinity = std::numeric_limits<float>::infinity();
  for (const double temperature : {0.0, 1.0}) {
    EXPECT_NE(error_of([&] {
                sample({1, nan, 2}, {.temperature = temperature});
              }).find("token 1"),
              std::string::npos);
    EXPECT_NE(error_of([&] {
                sample({1, 2, infinity}, {.temperature = temperature});
              }).find("token 2"),
              std::string::npos);
    EXPECT_NE(error_of([&] { sample({-infinity, -infinity}, {.temperature = temperature}); }), "");
  }
}

TEST(Sampler, ImpossibleParametersAreErrors) {
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
