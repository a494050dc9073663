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
  const Pair loss = positive({1}), load = output_stat({4, E}), dscores = output_stat({N, E});
  run(balance_loss, [&](auto pick) {
    return BalanceLoss{.loss = pick(loss),
                       .load = pick(load),
                       .scores = pick(scores),
                       .ids = pick(ids),
                       .sequence_starts = pick(starts),
                       .alpha = 0.3};
  });
  expect_close("loss", loss);
  expect_close("load", load);
  run(balance_loss_backward, [&](auto pick) {
    return BalanceLossBackward{
        .dscores = pick(dscores), .load = pick(load), .sequence_starts = pick(starts), .alpha = 0.3};
  });
  expect_close("dscores", dscores);
}

// Every expert chosen equally often and every row of scores summing to 1: the loss is alpha.
TEST_P(BalanceTest, IsAlphaAtPerfectBalance) {
  const int64_t N = 12, E = 6, K = 2;
  std::vector<int32_t> choices;
  for (int64_t i = 0; i < N * K; ++i) choices.push_back(static_cast<int32_t>(i % E));
  const Pair scores = filled({N, E}, stat(), [&](int64_t i) { return i % E == i / E % E ? 0.5 : 0.1; });
  const Pair ids = integers({N, K}, choices), starts = integers({3}, {0, 6, 12});
  const Pair loss = zeros({1}), load = output_stat({2, E});
  run(balance_loss, [&](auto pick) {
    return BalanceLoss{.loss = pick(loss),
                       .load = pick(load),
                       .scores = pick(scores),
                       .ids = pick(ids),
                       .sequence_starts = pick(starts),
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
                     .alpha = 0.7});
  };
  Device reference = Device::reference();
  forward(reference);
  balance_loss_backward(
      reference, {.dscores = dscores.ref, .load = load.ref, .sequence_starts = starts.ref, .alpha = 0.7});
  expect_gradient("dscores", scores.ref, dscores.ref, loss.ref, one.ref, forward);
}

TEST_P(BalanceTest, NamesTheFieldThatIsWrong) {
  const Pair scores = positive({2, 4}), load = zeros({1, 4}), starts = integers({3}, {0, 1, 2});
  EXPECT_THROW(
      balance_loss_backward(
          device_, {.dscores = scores.target, .load = load.target, .sequence_starts = starts.target}),
      Error);
}

}  // namespace
}  // namespace fathom::testing
