#include "ops/balance.h"

#include "support/op_test.h"

namespace fathom::testing {
namespace {

class BalanceTest : public OpTest {
 protected:
  Pair positive(Shape shape) {
    return filled(shape, stat(), [&](int64_t) { return rng_.uniform(); });
  }
  Pair zeros(Shape shape) {
    return filled(shape, stat(), [](int64_t) { return 0; });
  }
};
FATHOM_OP_TEST(BalanceTest);

TEST_P(BalanceTest, ForwardAndBackward) {
  const int64_t N = 23, E = 11, K = 3;
  std::vector<int32_t> choices;
  for (int64_t i = 0; i < N * K; ++i) choices.push_back(static_cast<int32_t>((i * i + i % 3) % E));
  const Pair scores = positive({N, E}), ids = integers({N, K}, choices);
  const Pair starts = integers({5}, {0, 1, 9, 9, 23});  // one sequence is empty
  const Pair loss = positive({1}), load = output_stat({4, E}), dscores = output_stat({N, E}), none;
  run(balance_loss, [&](auto pick) {
    return BalanceLoss{.loss = pick(loss),
                       .load = pick(load),
                       .scores = pick(scores),
                       .ids = pick(ids),
                       .sequence_starts = pick(starts),
                       .counts = pick(none),
                       .tokens = 40,
                       .alpha = 0.3};
  });
  expect_close("loss", loss);
  expect_close("load", load);
  run(balance_loss_backward, [&](auto pick) {
    return BalanceLossBackward{.dscores = pick(dscores),
                               .load = pick(load),
                               .sequence_starts = pick(starts),
                               .tokens = 40,
                               .alpha = 0.3};
  });
  expect_close("dscores", dscores);
}

// One call over four sequences, or a call for each of three parts of the step: the same loss and gradient.
TEST_P(BalanceTest, IsTheSameForEverySplitOfTheStep) {
  const int64_t N = 23, E = 5, K = 2;
  std::vector<int32_t> choices;
  for (int64_t i = 0; i < N * K; ++i) choices.push_back(static_cast<int32_t>((i * i + i / 7) % E));
  const Pair scores = positive({N, E}), whole_d = output_stat({N, E}), split_d = output_stat({N, E}),
             whole = zeros({1}), split = zeros({1});
  const auto add = [&](int64_t first, const std::vector<int32_t>& starts, const Tensor& counts,
                       const Tensor& loss, const Tensor& dscores) {
    const int64_t n = starts.back(), B = static_cast<int64_t>(starts.size()) - 1;
    const Pair ids = integers({n, K}, {choices.begin() + first * K, choices.begin() + (first + n) * K}),
               begin = integers({B + 1}, starts), load = output_stat({B, E});
    balance_loss(device_, {.loss = loss,
                           .load = load.target,
                           .scores = scores.target.slice(first, n),
                           .ids = ids.target,
                           .sequence_starts = begin.target,
                           .counts = counts,
                           .tokens = N,
                           .alpha = 0.3});
    balance_loss_backward(device_, {.dscores = dscores.slice(first, n),
                                    .load = load.target,
                                    .sequence_starts = begin.target,
                                    .tokens = N,
                                    .alpha = 0.3});
  };
  const auto expect_equal = [&] {
    EXPECT_NEAR(element(split.target, 0, 0), element(whole.target, 0, 0), 1e-6);
    EXPECT_LT(relative_error(split_d.target, whole_d.target), tolerance(stat()));
  };
  add(0, {0, 3, 4, 16, 23}, {}, whole.target, whole_d.target);
  add(0, {0, 3, 4}, {}, split.target, split_d.target);
  add(4, {0, 12}, {}, split.target, split_d.target);
  add(16, {0, 7}, {}, split.target, split_d.target);
  expect_equal();

  std::vector<int32_t> step(E);
  for (const int32_t e : choices) ++step[e];
  const Pair counts = integers({E}, step);
  add(0, {0, 23}, {}, whole.target, whole_d.target);
  add(0, {0, 4}, counts.target, split.target, split_d.target);
  add(4, {0, 12}, counts.target, split.target, split_d.target);
  add(16, {0, 7}, counts.target, split.target, split_d.target);
  expect_equal();
}

// Every expert chosen equally often and every row of scores summing to 1: the loss is alpha.
TEST_P(BalanceTest, IsAlphaAtPerfectBalance) {
  const int64_t N = 12, E = 6, K = 2;
  std::vector<int32_t> choices;
  for (int64_t i = 0; i < N * K; ++i) choices.push_back(static_cast<int32_t>(i % E));
  const Pair scores = filled({N, E}, stat(), [&](int64_t i) { return i % E == i / E % E ? 0.5 : 0.1; });
  const Pair ids = integers({N, K}, choices), starts = integers({3}, {0, 6, 12});
  const Pair loss = zeros({1}), load = output_stat({2, E}), none;
  run(balance_loss, [&](auto pick) {
    return BalanceLoss{.loss = pick(loss),
                       .load = pick(load),
                       .scores = pick(scores),
                       .ids = pick(ids),
                       .sequence_starts = pick(starts),
                       .counts = pick(none),
                       .tokens = 12,
                       .alpha = 0.003};
  });
  expect_close("loss", loss);
  EXPECT_NEAR(element(loss.target, 0, 0), 0.003, 1e-8);
  for (int64_t e = 0; e < E; ++e) EXPECT_NEAR(element(load.target, 1, e), 1, 1e-6);
}

TEST_P(BalanceTest, GradientMatchesDifferences) {
  const Pair scores = positive({7, 4}), ids = integers({7, 2}, {0, 1, 2, 1, 0, 3, 3, 2, 1, 0, 0, 2, 0, 1});
  const Pair starts = integers({3}, {0, 3, 7}), loss = zeros({1}), load = output_stat({2, 4});
  const Pair dscores = output_stat({7, 4}), one = filled({1}, stat(), [](int64_t) { return 1; });
  auto forward = [&](Device& d) {
    loss.ref.as<double>()[0] = 0;
    balance_loss(d, {.loss = loss.ref,
                     .load = load.ref,
                     .scores = scores.ref,
                     .ids = ids.ref,
                     .sequence_starts = starts.ref,
                     .counts = {},
                     .tokens = 9,
                     .alpha = 0.7});
  };
  Device reference = Device::reference();
  forward(reference);
  balance_loss_backward(
      reference,
      {.dscores = dscores.ref, .load = load.ref, .sequence_starts = starts.ref, .tokens = 9, .alpha = 0.7});
  expect_gradient("dscores", scores.ref, dscores.ref, loss.ref, one.ref, forward);
}

TEST_P(BalanceTest, NamesTheFieldThatIsWrong) {
  const Pair scores = positive({2, 4}), load = zeros({1, 4}), loads = zeros({2, 4}),
             starts = integers({3}, {0, 1, 2}), ids = integers({2, 1}, {0, 1}), loss = zeros({1}),
             counts = integers({4}, {1, 1, 0, 0});
  EXPECT_THROW(
      balance_loss_backward(
          device_,
          {.dscores = scores.target, .load = load.target, .sequence_starts = starts.target, .tokens = 2}),
      Error);
  EXPECT_THROW(
      balance_loss_backward(
          device_,
          {.dscores = scores.target, .load = loads.target, .sequence_starts = starts.target, .tokens = 1}),
      Error);
  EXPECT_THROW(balance_loss(device_, {.loss = loss.target,
                                      .load = loads.target,
                                      .scores = scores.target,
                                      .ids = ids.target,
                                      .sequence_starts = starts.target,
                                      .counts = counts.target,
                                      .tokens = 2}),
               Error);
}

}  // namespace
}  // namespace fathom::testing
