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

TEST_P(CrossEntropyTest, IgnoredRowsAreNotRead) {
  const Pair logits = filled({2, 5}, stat(), [](int64_t i) { return i < 5 ? NAN : 1; });
  const Pair targets = integers({2}, {CrossEntropy::ignore, 3}), losses = output_stat({2}),
             dlogits = output({2, 5});
  run(cross_entropy, [&](auto pick) {
    return CrossEntropy{
        .losses = pick(losses), .dlogits = pick(dlogits), .logits = pick(logits), .targets = pick(targets)};
  });
  expect_close("losses", losses);
  expect_close("dlogits", dlogits);
  EXPECT_EQ(element(losses.target, 0, 0), 0);
  EXPECT_EQ(element(dlogits.target, 0, 4), 0);
}

TEST_P(CrossEntropyTest, NanIsNotHidden) {
  for (int64_t bad : {0, 6, 40}) {
    const Pair logits = filled({1, 41}, stat(), [&](int64_t i) { return i == bad ? NAN : 1; });
    const Pair targets = integers({1}, {20}), losses = random_stat({1});
    cross_entropy(device_, {.losses = losses.target, .logits = logits.target, .targets = targets.target});
    EXPECT_TRUE(std::isnan(element(losses.target, 0, 0)));
  }
}

TEST_P(CrossEntropyTest, GradientMatchesDifferences) {
  const Pair logits = random_stat({3, 6}), targets = integers({3}, {5, CrossEntropy::ignore, 0});
  const Pair losses = output_stat({3}), dlogits = output_stat({3, 6}),
             half = filled({3}, stat(), [](int64_t) { return 0.5; });
  CrossEntropy arguments{.losses = losses.ref,
                         .dlogits = dlogits.ref,
                         .logits = logits.ref,
                         .targets = targets.ref,
                         .scale = 0.5};
  Device reference = Device::reference();
  cross_entropy(reference, arguments);
  arguments.dlogits = {};
  expect_gradient("dlogits", logits.ref, dlogits.ref, losses.ref, half.ref,
                  [&](Device& d) { cross_entropy(d, arguments); });
}

TEST_P(CrossEntropyTest, NamesTheFieldThatIsWrong) {
  const Pair logits = random_stat({2, 6}), targets = integers({3}, {5, 1, 0}), losses = output_stat({2});
  EXPECT_THROW(
      cross_entropy(device_, {.losses = losses.target, .logits = logits.target, .targets = targets.target}),
      Error);
}

}  // namespace
}  // namespace fathom::testing
