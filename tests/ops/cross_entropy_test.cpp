#include "ops/cross_entropy.h"

#include "support/op_test.h"

namespace fathom::testing {
namespace {

class CrossEntropyTest : public OpTest {};
FATHOM_OP_TEST(CrossEntropyTest);

TEST_P(CrossEntropyTest, LossesAndGradient) {
  for (int64_t V : {1, 9, 64, 5003}) {
    const int32_t last = static_cast<int32_t>(V - 1);
    const Pair logits = random_stat({4, V}, 4);
    const Pair targets = integers({4}, {0, last, CrossEntropy::ignore, last / 2});
    // The gradient is stored in the activation type: bf16 for bf16 training.
    const Pair losses = output_stat({4}), dlogits = output({4, V}), none;
    for (const Pair& gradient : {none, dlogits, logits}) {  // the last time in place
      run(cross_entropy, [&](auto pick) {
        return CrossEntropy{.losses = pick(losses),
                            .dlogits = pick(gradient),
                            .logits = pick(logits),
                            .targets = pick(targets),
                            .scale = 0.25};
      });
      if (V == 1) {  // certain: all is zero but for rounding
        for (int64_t n = 0; n < 4; ++n) EXPECT_NEAR(element(losses.target, 0, n), 0, 1e-6);
        break;
      }
      expect_close("losses", losses);
      if (gradient.ref) expect_close("dlogits", gradient);
    }
  }
}

TEST_P(CrossEntropyTest, WeightsTemperatureAndEntropies) {
  for (int64_t V : {1, 9, 64, 5003})
    for (double temperature : {0.6, 1.0, 1.7}) {
      const int32_t last = static_cast<int32_t>(V - 1);
      const double values[] = {0.3, -1.5, 1, 0, 2};
      const Pair logits = random_stat({5, V}, 4), none;
      const Pair targets = integers({5}, {0, last, CrossEntropy::ignore, last / 3, last / 2});
      const Pair weights = filled({5}, stat(), [&](int64_t n) { return values[n]; });
      const Pair losses = output_stat({5}), entropies = output_stat({5}), dlogits = output({5, V});
      for (const Pair& gradient : {none, dlogits, logits}) {  // the last time in place
        run(cross_entropy, [&](auto pick) {
          return CrossEntropy{.losses = pick(losses),
                              .dlogits = pick(gradient),
                              .entropies = pick(entropies),
                              .logits = pick(logits),
                              .targets = pick(targets),
                              .weights = pick(weights),
                              .scale = 0.25,
                              .temperature = temperature};
        });
        if (V == 1) {  // certain: all is zero but for rounding
          for (int64_t n = 0; n < 5; ++n) EXPECT_NEAR(element(losses.target, 0, n), 0, 1e-6);
          for (int64_t n = 0; n < 5; ++n) EXPECT_EQ(element(entropies.target, 0, n), 0);
          break;
        }
        // A temperature below 1 enlarges the rounding of a logit's distance from the log of the sum.
        const double slack = std::max(1.0, 1 / temperature);
        expect_close("losses", losses, slack);
        // Where one logit stands out, an entropy is the log of a sum near 1, which is rounded to 6e-8.
        expect_close("entropies", entropies, 5);
        if (gradient.ref) expect_close("dlogits", gradient, slack);
      }
    }
}

// What is absent is the same, bit for bit, as what changes nothing.
TEST_P(CrossEntropyTest, DefaultsAreOnes) {
  const int64_t V = 4099;
  const Pair logits = random_stat({3, V}, 4), targets = integers({3}, {7, 4098, 2000});
  const Pair ones = filled({3}, stat(), [](int64_t) { return 1; });
  const Pair losses = output_stat({3}), losses2 = output_stat({3}), dlogits = output({3, V}),
             dlogits2 = output({3, V}), entropies = output_stat({3});
  cross_entropy(device_, {.losses = losses.target,
                          .dlogits = dlogits.target,
                          .logits = logits.target,
                          .targets = targets.target,
                          .scale = 0.1});
  cross_entropy(device_, {.losses = losses2.target,
                          .dlogits = dlogits2.target,
                          .entropies = entropies.target,
                          .logits = logits.target,
                          .targets = targets.target,
                          .weights = ones.target,
                          .scale = 0.1,
                          .temperature = 1});
  for (int64_t n = 0; n < 3; ++n) {
    EXPECT_EQ(element(losses.target, 0, n), element(losses2.target, 0, n));
    for (int64_t v = 0; v < V; ++v)
      ASSERT_EQ(element(dlogits.target, n, v), element(dlogits2.target, n, v)) << n << ", " << v;
  }
}

// Logits that are masked (-infinity), that overflow when a temperature divides them, or whose probability is
// 0; more of them than one block of a kernel holds, too.
TEST_P(CrossEntropyTest, EntropyOfExtremeLogits) {
  const int64_t V = 6003;
  const auto row = [&](int64_t n, int64_t v) -> double {
    if (n == 0) return v == 5001 || v == 5990 ? 1e4 : -3e38;             // two equals
    if (n == 1) return v % 3001 == 3000 || v == 2500 ? 0.5 : -INFINITY;  // three equals, most others masked
    if (n == 2) return v == 77 ? 3e38 : -3e38;                           // certain
    return 1e6 + v % 2 * 1e30;  // half of them equal, the first is not the largest
  };
  const Pair logits = filled({4, V}, stat(), [&](int64_t i) { return row(i / V, i % V); });
  const Pair targets = integers({4}, {5990, 3000, 77, 1});
  const Pair losses = output_stat({4}), entropies = output_stat({4}), dlogits = output_stat({4, V});
  const double equals[] = {2, 3, 1, 3001};
  for (double temperature : {1.0, 0.01, 2.5}) {
    cross_entropy(device_, {.losses = losses.target,
                            .dlogits = dlogits.target,
                            .entropies = entropies.target,
                            .logits = logits.target,
                            .targets = targets.target,
                            .temperature = temperature});
    for (int64_t n = 0; n < 4; ++n) {
      EXPECT_NEAR(element(entropies.target, 0, n), std::log(equals[n]), 1e-5) << n;
      for (int64_t v = 0; v < V; ++v) ASSERT_TRUE(std::isfinite(element(dlogits.target, n, v))) << n;
    }
    // A loss is a difference of logits, which are rounded: only those of this row are small.
    EXPECT_NEAR(element(losses.target, 0, 1), std::log(equals[1]), 1e-5);
  }
}

TEST_P(CrossEntropyTest, LargeLogitsDoNotOverflow) {
  const double values[] = {1e4, -1e4, 9990, -3e38};
  const Pair logits = filled({1, 4}, stat(), [&](int64_t i) { return values[i]; });
  const Pair targets = integers({1}, {2}), losses = output_stat({1}), dlogits = output_stat({1, 4});
  run(cross_entropy, [&](auto pick) {
    return CrossEntropy{
        .losses = pick(losses), .dlogits = pick(dlogits), .logits = pick(logits), .targets = pick(targets)};
  });
  // Near 1e4 an f32 is good to 1e-3, and the loss is a difference of two of them.
  EXPECT_NEAR(element(losses.target, 0, 0), 10, 2e-3);
  EXPECT_NEAR(element(dlogits.target, 0, 2), -1, 1e-3);
}

// Probabilities stand to each other as the exponentials do, to a few ulp over the whole range of f32.
TEST_P(CrossEntropyTest, ExponentialsAreAccurate) {
  const int64_t V = 8501;
  const Pair logits = filled({1, V}, DType::f32, [](int64_t i) { return -0.01 * i; });
  const Pair targets = integers({1}, {0}), losses = output_stat({1}), dlogits = output_stat({1, V});
  cross_entropy(device_, {.losses = losses.target,
                          .dlogits = dlogits.target,
                          .logits = logits.target,
                          .targets = targets.target});
  const double first = element(dlogits.target, 0, 1), at_first = element(logits.ref, 0, 1);
  for (int64_t v = 1; v < V; ++v) {
    const double x = element(logits.ref, 0, v) - at_first, want = first * std::exp(x);
    // An argument, the difference from the log of the sum (about 4.6), is rounded like its terms.
    ASSERT_NEAR(element(dlogits.target, 0, v), want, want * ((10 - x) * 1.2e-7 + 4e-7) + 3e-38) << x;
  }
}

TEST_P(CrossEntropyTest, SkippedRowsAreNotRead) {
  const Pair logits = filled({3, 5}, stat(), [](int64_t i) { return i < 10 ? NAN : 1; });
  const Pair targets = integers({3}, {CrossEntropy::ignore, 2, 3}), losses = output_stat({3}),
             entropies = output_stat({3}), dlogits = output({3, 5});
  const double values[] = {NAN, 0, 1};  // an ignored row has no weight
  const Pair weights = filled({3}, stat(), [&](int64_t n) { return values[n]; });
  run(cross_entropy, [&](auto pick) {
    return CrossEntropy{.losses = pick(losses),
                        .dlogits = pick(dlogits),
                        .entropies = pick(entropies),
                        .logits = pick(logits),
                        .targets = pick(targets),
                        .weights = pick(weights)};
  });
  expect_close("losses", losses);
  expect_close("entropies", entropies);
  expect_close("dlogits", dlogits);
  for (int64_t n : {0, 1}) {
    EXPECT_EQ(element(losses.target, 0, n), 0);
    EXPECT_EQ(element(entropies.target, 0, n), 0);
    EXPECT_EQ(element(dlogits.target, n, 4), 0);
  }
}

TEST_P(CrossEntropyTest, NanIsNotHidden) {
  for (int64_t bad : {0, 6, 40}) {
    const Pair logits = filled({1, 41}, stat(), [&](int64_t i) { return i == bad ? NAN : 1; });
    const Pair targets = integers({1}, {20}), losses = random_stat({1}), entropies = random_stat({1});
    for (const Tensor& also : {Tensor(), entropies.target})
      cross_entropy(
          device_,
          {.losses = losses.target, .entropies = also, .logits = logits.target, .targets = targets.target});
    EXPECT_TRUE(std::isnan(element(losses.target, 0, 0)));
    EXPECT_TRUE(std::isnan(element(entropies.target, 0, 0)));
  }
}

TEST_P(CrossEntropyTest, GradientMatchesDifferences) {
  const Pair logits = random_stat({4, 6}), targets = integers({4}, {5, CrossEntropy::ignore, 0, 3});
  const Pair losses = output_stat({4}), dlogits = output_stat({4, 6}), weights = random_stat({4}),
             half = filled({4}, stat(), [](int64_t) { return 0.5; });
  for (const Tensor& w : {Tensor(), weights.ref})
    for (double temperature : {1.0, 0.6}) {
      CrossEntropy arguments{.losses = losses.ref,
                             .dlogits = dlogits.ref,
                             .logits = logits.ref,
                             .targets = targets.ref,
                             .weights = w,
                             .scale = 0.5,
                             .temperature = temperature};
      Device reference = Device::reference();
      cross_entropy(reference, arguments);
      arguments.dlogits = {};
      expect_gradient("dlogits", logits.ref, dlogits.ref, losses.ref, half.ref,
                      [&](Device& d) { cross_entropy(d, arguments); });
    }
}

// An objective of the log-probabilities of the targets, here the sum of their sines: its derivative by each,
// negated, is the weight.
TEST_P(CrossEntropyTest, WeightsGiveTheGradientOfAnyObjective) {
  const Pair logits = random_stat({3, 6}), targets = integers({3}, {5, 2, 0});
  const Pair losses = output_stat({3}), dlogits = output_stat({3, 6}), weights = output_stat({3}),
             objective = output_stat({3}), ones = filled({3}, stat(), [](int64_t) { return 1; });
  CrossEntropy forward{
      .losses = losses.ref, .logits = logits.ref, .targets = targets.ref, .temperature = 0.7};
  const auto evaluate = [&](Device& d) {
    cross_entropy(d, forward);
    for (int64_t n = 0; n < 3; ++n) objective.ref.as<double>()[n] = std::sin(-losses.ref.as<double>()[n]);
  };
  Device reference = Device::reference();
  evaluate(reference);
  for (int64_t n = 0; n < 3; ++n) weights.ref.as<double>()[n] = -std::cos(-losses.ref.as<double>()[n]);
  CrossEntropy backward = forward;
  backward.dlogits = dlogits.ref, backward.weights = weights.ref;
  cross_entropy(reference, backward);
  expect_gradient("dlogits", logits.ref, dlogits.ref, objective.ref, ones.ref, evaluate);
}

TEST_P(CrossEntropyTest, NamesTheFieldThatIsWrong) {
  const Pair logits = random_stat({2, 6}), three = integers({3}, {5, 1, 0}), losses = output_stat({2});
  const Pair targets = integers({2}, {5, 1}), weights = random_stat({3}), whole = integers({2}, {1, 1});
  const CrossEntropy good{.losses = losses.target, .logits = logits.target, .targets = targets.target};
  const auto wrong = [&](const auto& change) {
    CrossEntropy a = good;
    change(a);
    EXPECT_THROW(cross_entropy(device_, a), Error);
  };
  cross_entropy(device_, good);
  wrong([&](CrossEntropy& a) { a.targets = three.target; });
  wrong([&](CrossEntropy& a) { a.weights = weights.target; });
  wrong([&](CrossEntropy& a) { a.weights = whole.target; });
  wrong([&](CrossEntropy& a) { a.entropies = weights.target; });
  for (double temperature : {0.0, -1.0, 1e-60, 1e60, double(NAN), double(INFINITY)})
    wrong([&](CrossEntropy& a) { a.temperature = temperature; });
}

}  // namespace
}  // namespace fathom::testing
