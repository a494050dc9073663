// The distribution of what is picked, filter by filter, and what cannot be picked from.
#include "ops/sample.h"

#include <gmock/gmock.h>

#include <map>

#include "support/op_test.h"

namespace fathom::testing {
namespace {

using Logits = std::vector<float>;

struct Settings {
  double temperature = 0;
  int32_t top_k = 0;
  double top_p = 1, min_p = 0;
};

constexpr float infinity = std::numeric_limits<float>::infinity(),
                nan = std::numeric_limits<float>::quiet_NaN();

Logits logs(std::initializer_list<double> probabilities) {
  Logits out;
  for (const double p : probabilities) out.push_back(static_cast<float>(std::log(p)));
  return out;
}

class SampleTest : public OpTest {
 protected:
  // Rows of the same logits and settings, each with a draw of its own.
  struct Rows {
    Pair ids, logits, settings, top_k;
    Sample sample(auto pick) const {
      return {.ids = pick(ids), .logits = pick(logits), .settings = pick(settings), .top_k = pick(top_k)};
    }
  };
  Rows rows(const Logits& logits, const Settings& s, int64_t n) {
    const auto V = static_cast<int64_t>(logits.size());
    return {.ids = integers({n}),
            .logits = filled({n, V}, stat(), [&](int64_t i) { return logits[i % V]; }),
            .settings = filled({n, sample_setting::columns}, DType::f64,
                               [&](int64_t i) {
                                 const double all[] = {s.temperature, s.top_p, s.min_p, rng_.uniform()};
                                 return all[i % sample_setting::columns];
                               }),
            .top_k = integers({n}, std::vector<int32_t>(n, s.top_k))};
  }
  int32_t pick(const Logits& logits, const Settings& s) {
    const Rows r = rows(logits, s, 1);
    sample(device_, r.sample([](const Pair& p) { return p.target; }));
    return r.ids.target.as<int32_t>()[0];
  }
  // Each for itself: one that is near 0 counts as much as the others.
  static void expect_log_probs(const Pair& log_probs, int64_t n) {
    for (int64_t i = 0; i < n; ++i) {
      const double got = element(log_probs.target, 0, i), want = element(log_probs.ref, 0, i);
      EXPECT_LE(std::abs(got - want), 1e-6 * std::abs(want) + 1e-30) << want << " in row " << i;
      EXPECT_LE(want, 0);
    }
  }
  std::map<int32_t, int> histogram(const Logits& logits, const Settings& s, int64_t draws) {
    const Rows r = rows(logits, s, draws);
    sample(device_, r.sample([](const Pair& p) { return p.target; }));
    std::map<int32_t, int> counts;
    for (int64_t i = 0; i < draws; ++i) ++counts[r.ids.target.as<int32_t>()[i]];
    return counts;
  }
};
FATHOM_OP_TEST(SampleTest);

// Thousands of draws: more than a checker of every memory access gets through (tools/gpu_sanitize.sh).
class SampleDrawsTest : public SampleTest {};
FATHOM_OP_TEST(SampleDrawsTest);

// Chi-square of the draws against probabilities; ids missing there must not occur.
double chi_square(const std::map<int32_t, int>& counts, const std::map<int32_t, double>& expected) {
  int draws = 0;
  for (const auto& [id, n] : counts) draws += n;
  double sum = 0;
  for (const auto& [id, n] : counts) EXPECT_TRUE(expected.contains(id)) << "drew " << id;
  for (const auto& [id, p] : expected) {
    const auto at = counts.find(id);
    const double d = (at == counts.end() ? 0 : at->second) - p * draws;
    sum += d * d / (p * draws);
  }
  return sum;
}

TEST_P(SampleTest, GreedyTakesTheMostLikelyAndOfEqualsTheLowestId) {
  EXPECT_EQ(pick({1, 5, 3, 5}, {}), 1);
  EXPECT_EQ(pick({-3}, {}), 0);
  EXPECT_EQ(pick({-0.0f, 0.0f}, {}), 0);
  EXPECT_EQ(pick({-infinity, -7, -infinity}, {}), 1);
}

// 20,000 draws; the bounds are the 99.9% points of chi-square with as many degrees of freedom. The seed is
// fixed.
TEST_P(SampleDrawsTest, DrawsFollowTheTemperedSoftmax) {
  const Logits logits = logs({0.4, 0.3, 0.2, 0.1});
  EXPECT_LT(
      chi_square(histogram(logits, {.temperature = 1}, 20000), {{0, 0.4}, {1, 0.3}, {2, 0.2}, {3, 0.1}}),
      16.27);
  // Temperature 1/2 squares the probabilities.
  EXPECT_LT(chi_square(histogram(logits, {.temperature = 0.5}, 20000),
                       {{0, 0.16 / 0.3}, {1, 0.09 / 0.3}, {2, 0.04 / 0.3}, {3, 0.01 / 0.3}}),
            16.27);
}

TEST_P(SampleDrawsTest, TopKKeepsKAndRenormalises) {
  const Logits logits = logs({0.1, 0.4, 0.2, 0.3});
  EXPECT_LT(
      chi_square(histogram(logits, {.temperature = 1, .top_k = 2}, 20000), {{1, 4.0 / 7}, {3, 3.0 / 7}}),
      10.83);
  EXPECT_EQ(histogram(logits, {.temperature = 1, .top_k = 1}, 100), (std::map<int32_t, int>{{1, 100}}));
  EXPECT_EQ(histogram(logits, {.temperature = 1, .top_k = 99}, 1000).size(), 4u);
  EXPECT_EQ(histogram({0, 0, 0, 0}, {.temperature = 1, .top_k = 2}, 200).rbegin()->first, 1);
}

TEST_P(SampleDrawsTest, TopPKeepsTheFewestThatHoldTheMass) {
  const Logits logits = logs({0.1, 0.4, 0.2, 0.3});
  const auto kept = [&](double p) { return histogram(logits, {.temperature = 1, .top_p = p}, 2000).size(); };
  EXPECT_EQ(kept(1e-9), 1u);
  EXPECT_EQ(kept(0.39), 1u);
  EXPECT_EQ(kept(0.41), 2u);
  EXPECT_EQ(kept(0.69), 2u);
  EXPECT_EQ(kept(0.71), 3u);
  EXPECT_EQ(kept(0.95), 4u);
  EXPECT_EQ(kept(1), 4u);
}

// Many equal tokens, of which the lowest ids go first.
TEST_P(SampleDrawsTest, FiltersOverAFlatVocabulary) {
  const Logits flat(500, 1.5f);
  std::map<int32_t, double> expected;
  for (int i = 0; i < 200; ++i) expected[i] = 1.0 / 200;
  // 199 degrees of freedom
  EXPECT_LT(chi_square(histogram(flat, {.temperature = 1, .top_p = 0.4}, 8000), expected), 266.4);
  EXPECT_LT(chi_square(histogram(flat, {.temperature = 1, .top_k = 200}, 8000), expected), 266.4);
}

TEST_P(SampleDrawsTest, MinPIsRelativeToTheMostLikely) {
  const Logits logits = logs({0.1, 0.4, 0.2, 0.3});
  const auto kept = [&](double p) { return histogram(logits, {.temperature = 1, .min_p = p}, 2000).size(); };
  EXPECT_EQ(kept(0.24), 4u);
  EXPECT_EQ(kept(0.26), 3u);
  EXPECT_EQ(kept(0.51), 2u);
  EXPECT_EQ(kept(1), 1u);
}

TEST_P(SampleDrawsTest, FiltersApplyInOrder) {
  // Temperature first: at 1/2 the probabilities are .533 .3 .133 .033, and top-p 0.82 keeps two of them, not
  // three.
  const Logits logits = logs({0.4, 0.3, 0.2, 0.1});
  EXPECT_EQ(histogram(logits, {.temperature = 0.5, .top_p = 0.82}, 2000).size(), 2u);
  // Then top-k, so that top-p looks at 4/7 and 3/7.
  EXPECT_EQ(histogram(logits, {.temperature = 1, .top_k = 2, .top_p = 0.5}, 2000).size(), 1u);
}

// Settings that differ by row, rows that are part of wider ones; more tokens than a block has threads, and
// more that top-k and top-p have to choose from than it lists.
TEST_P(SampleTest, PicksWhatTheReferencePicks) {
  constexpr int64_t n = 48;
  for (const auto& sizes : {std::pair(3001, 40), std::pair(40001, 700)}) {
    const int64_t V = sizes.first, k_step = sizes.second;
    const Pair wide = random_stat({n, V + 7}, 3), ids = integers({n});
    const double temperatures[] = {0, 0.3, 1, 2.5}, top_ps[] = {1, 0.9, 0.3}, min_ps[] = {0, 0.02};
    const Pair settings = filled({n, sample_setting::columns}, DType::f64, [&](int64_t i) {
      const int64_t row = i / sample_setting::columns;
      const double all[] = {temperatures[row % 4], top_ps[row / 4 % 3], min_ps[row / 12 % 2], rng_.uniform()};
      return all[i % sample_setting::columns];
    });
    std::vector<int32_t> top_k(n);
    for (int64_t i = 0; i < n; ++i) top_k[i] = i % 5 ? static_cast<int32_t>(i * k_step) : 0;
    const Pair k = integers({n}, top_k);
    const Pair log_probs = output_stat({n});
    run(sample, [&](auto pick) {
      return Sample{.ids = pick(ids),
                    .logits = pick(columns(wide, 3, V)),
                    .settings = pick(settings),
                    .top_k = pick(k),
                    .log_probs = pick(log_probs)};
    });
    expect_close("ids", ids);
    expect_log_probs(log_probs, n);
  }
}

// As log softmax says in f64, whatever the filters leave of the vocabulary.
TEST_P(SampleTest, LogProbabilitiesAreThoseOfAllTokens) {
  const Logits logits = logs({0.4, 0.3, 0.2, 0.1});
  const auto of = [&](const Settings& s) {
    const Rows r = rows(logits, s, 64);
    const Pair log_probs = output_stat({64});
    Sample a = r.sample([](const Pair& p) { return p.target; });
    a.log_probs = log_probs.target;
    sample(device_, a);
    std::map<int32_t, double> of_id;
    for (int64_t i = 0; i < 64; ++i) of_id[a.ids.as<int32_t>()[i]] = element(log_probs.target, 0, i);
    return of_id;
  };
  const std::map<int32_t, double> all = of({.temperature = 1});
  ASSERT_EQ(all.size(), 4u);
  EXPECT_NEAR(all.at(3), std::log(0.1), 3e-7);
  EXPECT_NEAR(of({.temperature = 1, .top_k = 1}).at(0), std::log(0.4), 3e-7);
  EXPECT_NEAR(of({.temperature = 1, .top_p = 0.5}).at(1), std::log(0.3), 3e-7);
  EXPECT_NEAR(of({.temperature = 1, .min_p = 0.7}).at(1), std::log(0.3), 3e-7);
  EXPECT_NEAR(of({.temperature = 0.5}).at(1), std::log(0.09 / 0.3), 3e-7);
  EXPECT_NEAR(of({}).at(0), std::log(0.4), 3e-7) << "a greedy choice, at temperature 1";
}

// Rows with nearly all the mass on one token, and on none; of numbers far from 0.
TEST_P(SampleTest, LogProbabilitiesKeepTheirDigits) {
  constexpr int64_t n = 24, V = 5003;
  const double gaps[] = {0, 3, 12, 17, 25, 60}, temperatures[] = {0.7, 1, 3.3, 0};
  const Pair logits = filled({n, V}, stat(), [&](int64_t i) {
    const int64_t row = i / V;
    return rng_.normal() + (i % V == 7 * row ? gaps[row % 6] : 0) + (row % 2 ? 0 : -900);
  });
  const Pair settings = filled({n, sample_setting::columns}, DType::f64, [&](int64_t i) {
    const double all[] = {temperatures[i / sample_setting::columns / 6], 1, 0, rng_.uniform()};
    return all[i % sample_setting::columns];
  });
  const Pair ids = integers({n}), k = integers({n}, std::vector<int32_t>(n, 0)), log_probs = output_stat({n});
  run(sample, [&](auto pick) {
    return Sample{.ids = pick(ids),
                  .logits = pick(logits),
                  .settings = pick(settings),
                  .top_k = pick(k),
                  .log_probs = pick(log_probs)};
  });
  expect_close("ids", ids);
  expect_log_probs(log_probs, n);
}

TEST_P(SampleTest, LogProbabilitiesAtExtremes) {
  const auto of = [&](const Logits& logits, double temperature) {
    const Rows r = rows(logits, {.temperature = temperature}, 1);
    const Pair log_probs = output_stat({1});
    Sample a = r.sample([](const Pair& p) { return p.target; });
    a.log_probs = log_probs.target;
    sample(device_, a);
    return element(log_probs.target, 0, 0);
  };
  EXPECT_EQ(of({1, 2, 2.5f}, 1e-30), 0);
  EXPECT_EQ(of({-3e38f, 3e38f}, 1e-300), 0);
  EXPECT_EQ(of({-infinity, 0, -infinity}, 10), 0);
  EXPECT_EQ(of({-infinity, 0, -infinity}, 1e-310), 0);
  EXPECT_EQ(of({-3}, 0), 0);
  EXPECT_NEAR(of({0, 50}, 1e9), -std::log(2), 1e-6);
  EXPECT_NEAR(of({5, 5}, 1e-300), -std::log(2), 1e-6) << "equal ones stay equal";
  for (const double temperature : {0.0, 1.0}) {
    EXPECT_TRUE(std::isnan(of({1, nan}, temperature)));
    EXPECT_TRUE(std::isnan(of({1, infinity}, temperature)));
    EXPECT_TRUE(std::isnan(of({-infinity, -infinity}, temperature)));
  }
}

TEST_P(SampleDrawsTest, ExtremeTemperatures) {
  EXPECT_EQ(pick({1, 2, 2.5f}, {.temperature = 1e-30}), 2);
  EXPECT_EQ(pick({-3e38f, 3e38f}, {.temperature = 1e-300}), 1);
  EXPECT_EQ(histogram({0, 50}, {.temperature = 1e9}, 500).size(), 2u);
  EXPECT_EQ(histogram({-infinity, 0, -infinity}, {.temperature = 10}, 100),
            (std::map<int32_t, int>{{1, 100}}));
}

TEST_P(SampleTest, LogitsThatAreNotFiniteAreNamed) {
  for (const double temperature : {0.0, 1.0}) {
    EXPECT_THAT(sample_failure(pick({1, nan, nan}, {.temperature = temperature})),
                ::testing::HasSubstr("token 1"));
    EXPECT_THAT(sample_failure(pick({1, 2, infinity}, {.temperature = temperature})),
                ::testing::HasSubstr("token 2"));
    EXPECT_THAT(sample_failure(pick({-infinity, -infinity}, {.temperature = temperature})),
                ::testing::HasSubstr("every logit"));
  }
}

TEST_P(SampleTest, NamesTheFieldThatIsWrong) {
  const Rows r = rows({1, 2, 3}, {}, 4);
  const auto refuses = [&](const char* words, auto change) {
    Sample a = r.sample([](const Pair& p) { return p.target; });
    change(a);
    EXPECT_THAT([&] { sample(device_, a); }, ::testing::ThrowsMessage<Error>(::testing::HasSubstr(words)));
  };
  refuses("sample ids", [](Sample& a) { a.ids = a.ids.slice(0, 3); });
  refuses("sample settings", [](Sample& a) { a.settings = a.settings.columns(0, 3); });
  refuses("sample top_k", [](Sample& a) { a.top_k = {}; });
  refuses("sample log_probs", [&](Sample& a) { a.log_probs = a.top_k; });
  refuses("sample log_probs", [&](Sample& a) { a.log_probs = a.logits; });
}

}  // namespace
}  // namespace fathom::testing
