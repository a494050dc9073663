// Experts chosen with a bias, and the bias's own rule. Outside values: tools/make_router_bias.py.
#include "ops/router_bias.h"

#include <gmock/gmock.h>

#include <set>

#include "io/safetensors.h"
#include "ops/router.h"
#include "support/op_test.h"
#include "support/paths.h"
#include "support/temp_dir.h"

namespace fathom::testing {
namespace {

using ::testing::ElementsAre;

std::string golden_path() {
  return source_dir() + "/tests/golden/router_bias.safetensors";
}

class RouterBiasTest : public OpTest {
 protected:
  Pair values(Shape shape, const std::vector<double>& all) {
    return filled(shape, stat(), [&](int64_t i) { return all.at(static_cast<size_t>(i)); });
  }
  Pair of_file(const SafetensorsFile& file, const std::string& name, Shape shape) {
    const float* all = file.tensor(name).as<float>();
    return filled(shape, stat(), [&](int64_t i) { return all[i]; });
  }
  struct Routed {
    Pair scores, ids, weights;
  };
  // On the reference and on the device under test; K experts of `groups` of the n_groups groups.
  Routed route(const Pair& logits, const Pair& bias, int64_t K, int n_groups, int groups,
               bool normalize = false, double scaling = 1) {
    const int64_t N = logits.ref.rows(), E = logits.ref.cols();
    const Routed r = {output_stat({N, E}), integers({N, K}), output_stat({N, K})};
    run(router_forward, [&](auto pick) {
      return RouterForward{.scores = pick(r.scores),
                           .ids = pick(r.ids),
                           .weights = pick(r.weights),
                           .logits = pick(logits),
                           .bias = pick(bias),
                           .n_groups = n_groups,
                           .topk_groups = groups,
                           .normalize = normalize,
                           .scaling = scaling};
    });
    return r;
  }
  // Of one token.
  std::vector<int32_t> chosen(const std::vector<double>& scores, const std::vector<double>& bias, int64_t K,
                              int n_groups = 1, int groups = 1) {
    const auto E = static_cast<int64_t>(scores.size());
    const Pair logits = filled({1, E}, stat(), [&](int64_t i) { return std::log(scores[i]); });
    const Tensor ids =
        route(logits, bias.empty() ? Pair() : values({E}, bias), K, n_groups, groups).ids.target;
    return {ids.as<int32_t>(), ids.as<int32_t>() + K};
  }
};
FATHOM_OP_TEST(RouterBiasTest);

TEST_P(RouterBiasTest, ChoosesAsTransformersDoes) {
  const SafetensorsFile file(golden_path());
  const int64_t N = file.tensor("logits").rows(), E = file.tensor("bias").cols();
  const Pair logits = of_file(file, "logits", {N, E}), bias = of_file(file, "bias", {E});
  for (const std::string name : {"plain", "grouped", "pairs", "normalized"}) {
    const std::vector<int32_t> sizes = file.read_ints(name + ".sizes"), ids = file.read_ints(name + ".ids");
    const bool normalize = name == "normalized";
    const Routed r = route(logits, bias, sizes[2], sizes[0], sizes[1], normalize, 2.5);
    for (const Tensor& got : {r.ids.ref, r.ids.target})
      EXPECT_EQ(std::vector<int32_t>(got.as<int32_t>(), got.as<int32_t>() + got.count()), ids) << name;
    const ConstTensor weights = file.tensor(name + ".weights");
    for (const Tensor& got : {r.weights.ref, r.weights.target})
      EXPECT_LE(relative_error(got, weights), tolerance(DType::f32)) << name;
  }
}

TEST_P(RouterBiasTest, AnyNumberOfExpertsAndGroups) {
  struct Case {
    int64_t E, K;
    int n_groups, groups;
  };
  for (const Case& c : {Case{1, 1, 1, 1}, Case{5, 5, 1, 1}, Case{131, 32, 1, 1}, Case{160, 6, 8, 3},
                        Case{512, 8, 8, 4}, Case{64, 4, 64, 5}}) {
    const Routed r = route(random_stat({9, c.E}), random_stat({c.E}, 0.3), c.K, c.n_groups, c.groups);
    expect_close("scores", r.scores);
    expect_close("ids", r.ids);
    expect_close("weights", r.weights);
  }
}

TEST_P(RouterBiasTest, MovesTheChoiceAndNotTheWeights) {
  const std::vector<double> scores = {0.4, 0.3, 0.2, 0.1};
  EXPECT_THAT(chosen(scores, {0, 0, 0, 0}, 2), ElementsAre(0, 1));
  EXPECT_THAT(chosen(scores, {-0.5, 0, 0, 0.5}, 2), ElementsAre(3, 1));
  EXPECT_THAT(chosen(scores, {-0.5, -0.5, -0.5, -0.5}, 2), ElementsAre(0, 1)) << "sums below 0 have an order";
  const Pair logits = filled({1, 4}, stat(), [&](int64_t i) { return std::log(scores[i]); });
  const Routed r = route(logits, values({4}, {-0.5, 0, 0, 0.5}), 2, 1, 1, true);
  EXPECT_NEAR(element(r.weights.target, 0, 0), 0.1 / 0.4, 1e-6);
  EXPECT_NEAR(element(r.scores.target, 0, 3), 0.1, 1e-6);
}

TEST_P(RouterBiasTest, GroupsAreRankedByTheSumOfTwo) {
  const std::vector<double> scores = {0.4, 0.02, 0.3, 0.28}, zero = {0, 0, 0, 0};
  EXPECT_THAT(chosen(scores, {}, 1, 2, 1), ElementsAre(0)) << "by the highest, without a bias";
  EXPECT_THAT(chosen(scores, zero, 1, 2, 1), ElementsAre(2));
  EXPECT_THAT(chosen(scores, {0.17, 0, 0, 0}, 1, 2, 1), ElementsAre(0));
  // The third of a group does not count.
  EXPECT_THAT(chosen({0.2, 0.1, 0.1, 0.22, 0.09, 0.01}, {0, 0, 0, 0, 0, 0}, 2, 2, 1), ElementsAre(3, 4));
  EXPECT_THAT(chosen(scores, {0, 0.5, 0, 0}, 1, 4, 1), ElementsAre(1)) << "groups of one expert";
}

// Though what is open is below 0 and what is not is above.
TEST_P(RouterBiasTest, ExpertsOfOtherGroupsAreNeverChosen) {
  EXPECT_THAT(chosen({0.4, 0.2, 0.3, 0.1}, {0.5, -5, -1, -1}, 2, 2, 1), ElementsAre(2, 3));
}

TEST_P(RouterBiasTest, NanStillGivesDistinctExperts) {
  for (const double bad : {double(NAN), double(INFINITY), -double(INFINITY)})
    for (const int n_groups : {1, 2, 4}) {
      const auto ids = chosen({0.1, 0.2, 0.1, 0.2, 0.1, 0.1, 0.1, 0.1}, {0, bad, 0, 0, bad, bad, -0.1, 0}, 3,
                              n_groups, n_groups == 4 ? 2 : 1);
      const std::set<int32_t> distinct(ids.begin(), ids.end());
      EXPECT_EQ(distinct.size(), 3u);
      EXPECT_GE(*distinct.begin(), 0);
      EXPECT_LT(*distinct.rbegin(), 8);
    }
}

TEST_P(RouterBiasTest, FollowsTheCounts) {
  const SafetensorsFile file(golden_path());
  const ConstTensor want = file.tensor("biases");
  const std::vector<int32_t> counts = file.read_ints("counts");
  const double speed = element(file.tensor("speed"), 0, 0);
  const int64_t E = want.cols();
  const Pair bias = filled({E}, stat(), [](int64_t) { return 0; });
  for (int64_t step = 0; step < want.rows(); ++step) {
    const Pair of_step = integers({E}, {counts.begin() + step * E, counts.begin() + (step + 1) * E});
    run(router_bias_update, [&](auto pick) {
      return RouterBiasUpdate{.bias = pick(bias), .counts = pick(of_step), .speed = speed};
    });
    for (const Tensor& got : {bias.ref, bias.target})
      EXPECT_LE(relative_error(got, want[step]), tolerance(DType::f32)) << step;
  }
}

TEST_P(RouterBiasTest, UpdatesAnyNumberOfExperts) {
  for (const int64_t E : {1, 5, 255, 600}) {
    std::vector<int32_t> chosen;
    for (int64_t e = 0; e < E; ++e) chosen.push_back(static_cast<int32_t>(rng_.below(5)));
    const Pair bias = random_stat({E}), counts = integers({E}, chosen);
    run(router_bias_update, [&](auto pick) {
      return RouterBiasUpdate{.bias = pick(bias), .counts = pick(counts), .speed = 0.25};
    });
    expect_close("bias", bias);
  }
}

TEST_P(RouterBiasTest, NamesTheFieldThatIsWrong) {
  const Pair bias = random_stat({4}), counts = integers({3});
  EXPECT_NE(error_of([&] {
              router_bias_update(device_, {.bias = bias.target, .counts = counts.target});
            }).find("router_bias_update counts"),
            std::string::npos);
  EXPECT_NE(error_of([&] {
              route(random_stat({2, 5}), bias, 2, 1, 1);
            }).find("router bias"),
            std::string::npos);
}

}  // namespace
}  // namespace fathom::testing
