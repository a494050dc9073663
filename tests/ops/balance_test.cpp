#include "ops/balance.h"

#include <algorithm>

#include "io/safetensors.h"
#include "ops/expert_counts.h"
#include "support/op_test.h"
#include "support/paths.h"

namespace fathom::testing {
namespace {

constexpr BalanceLevels alphas = {.expert = 0.3, .device = 0.2, .communication = 0.7};

class BalanceTest : public OpTest {
 protected:
  // What every call is given; E experts in D groups of which a token may use M.
  struct Routing {
    Pair scores, ids, starts;
    int D = 1, M = 1;
  };

  Pair positive(Shape shape) {
    return filled(shape, stat(), [&](int64_t) { return rng_.uniform(); });
  }
  Pair zeros(Shape shape) {
    return filled(shape, stat(), [](int64_t) { return 0; });
  }
  // K different experts of each token.
  std::vector<int32_t> choices(int64_t N, int64_t K, int64_t E) {
    std::vector<int32_t> all(E), chosen;
    for (int64_t e = 0; e < E; ++e) all[e] = static_cast<int32_t>(e);
    for (int64_t n = 0; n < N; ++n)
      for (int64_t k = 0; k < K; ++k) {
        std::swap(all[k], all[k + static_cast<int64_t>(rng_.below(static_cast<uint64_t>(E - k)))]);
        chosen.push_back(all[k]);
      }
    return chosen;
  }

  struct Results {
    Pair losses, prices, dscores;
  };
  Results losses_of(const Routing& r, double tokens, BalanceLevels alpha) {
    const int64_t N = r.scores.ref.rows(), E = r.scores.ref.cols(), B = r.starts.ref.cols() - 1;
    const Results out = {zeros({3}), output_stat({B, E}), output_stat({N, E})};
    run(balance_loss, [&](auto pick) {
      return BalanceLoss{.losses = pick(out.losses),
                         .prices = pick(out.prices),
                         .scores = pick(r.scores),
                         .ids = pick(r.ids),
                         .sequence_starts = pick(r.starts),
                         .counts = {},
                         .sent = {},
                         .n_groups = r.D,
                         .topk_groups = r.M,
                         .tokens = tokens,
                         .alpha = alpha};
    });
    run(balance_loss_backward, [&](auto pick) {
      return BalanceLossBackward{.dscores = pick(out.dscores),
                                 .prices = pick(out.prices),
                                 .sequence_starts = pick(r.starts),
                                 .tokens = tokens};
    });
    return out;
  }
};
FATHOM_OP_TEST(BalanceTest);

TEST_P(BalanceTest, ForwardAndBackward) {
  const int64_t N = 23, E = 12, K = 3;
  for (const auto& [D, M] : {std::pair{1, 1}, {4, 2}, {6, 3}, {12, 12}}) {
    const Results r = losses_of({.scores = positive({N, E}),
                                 .ids = integers({N, K}, choices(N, K, E)),
                                 .starts = integers({5}, {0, 1, 9, 9, 23}),  // one sequence is empty
                                 .D = D,
                                 .M = M},
                                40, alphas);
    expect_close("losses", r.losses);
    expect_close("prices", r.prices);
    expect_close("dscores", r.dscores);
  }
}

TEST_P(BalanceTest, AddsToTheLosses) {
  const Pair losses = filled({3}, stat(), [](int64_t i) { return 10.0 * static_cast<double>(i + 1); });
  const Pair scores = positive({4, 6}), ids = integers({4, 1}, {0, 1, 2, 5}), starts = integers({2}, {0, 4}),
             prices = output_stat({1, 6});
  run(balance_loss, [&](auto pick) {
    return BalanceLoss{.losses = pick(losses),
                       .prices = pick(prices),
                       .scores = pick(scores),
                       .ids = pick(ids),
                       .sequence_starts = pick(starts),
                       .counts = {},
                       .sent = {},
                       .n_groups = 3,
                       .topk_groups = 2,
                       .tokens = 4,
                       .alpha = alphas};
  });
  expect_close("losses", losses);
  for (int64_t level = 0; level < 3; ++level) EXPECT_GT(element(losses.target, 0, level), 10 * (level + 1));
}

// A token is sent to a group once, however many of its experts are there, first or not.
TEST_P(BalanceTest, CountsATokenOncePerGroup) {
  const Routing r = {.scores = filled({2, 4}, stat(), [](int64_t) { return 0.25; }),
                     .ids = integers({2, 3}, {0, 2, 1, 3, 2, 0}),
                     .starts = integers({2}, {0, 2}),
                     .D = 2,
                     .M = 2};
  const Results out = losses_of(r, 2, {.expert = 0, .device = 0, .communication = 1});
  // f" = 2 / (2 * 2) * (2 tokens), of both groups
  for (int64_t e = 0; e < 4; ++e) EXPECT_NEAR(element(out.prices.target, 0, e), 1, 1e-6);
}

// One call over four sequences, or a call for each of three parts of the step: the same losses and gradient.
TEST_P(BalanceTest, IsTheSameForEverySplitOfTheStep) {
  const int64_t N = 23, E = 6, K = 2, D = 3;
  const std::vector<int32_t> chosen = choices(N, K, E);
  const Pair scores = positive({N, E}), whole_d = output_stat({N, E}), split_d = output_stat({N, E}),
             whole = zeros({3}), split = zeros({3});
  const auto add = [&](int64_t first, const std::vector<int32_t>& starts, const ExpertCounts& step,
                       const Tensor& losses, const Tensor& dscores) {
    const int64_t n = starts.back(), B = static_cast<int64_t>(starts.size()) - 1;
    const Pair ids = integers({n, K}, {chosen.begin() + first * K, chosen.begin() + (first + n) * K}),
               begin = integers({B + 1}, starts), prices = output_stat({B, E});
    balance_loss(device_, {.losses = losses,
                           .prices = prices.target,
                           .scores = scores.target.slice(first, n),
                           .ids = ids.target,
                           .sequence_starts = begin.target,
                           .counts = step.counts,
                           .sent = step.sent,
                           .n_groups = D,
                           .topk_groups = 2,
                           .tokens = N,
                           .alpha = alphas});
    balance_loss_backward(device_, {.dscores = dscores.slice(first, n),
                                    .prices = prices.target,
                                    .sequence_starts = begin.target,
                                    .tokens = N});
  };
  const auto expect_equal = [&] {
    EXPECT_LT(relative_error(split.target, whole.target), tolerance(stat()));
    EXPECT_LT(relative_error(split_d.target, whole_d.target), tolerance(stat()));
  };
  add(0, {0, 3, 4, 16, 23}, {}, whole.target, whole_d.target);
  add(0, {0, 3, 4}, {}, split.target, split_d.target);
  add(4, {0, 12}, {}, split.target, split_d.target);
  add(16, {0, 7}, {}, split.target, split_d.target);
  expect_equal();

  const Pair counts = integers({E}, std::vector<int32_t>(E)), sent = integers({D}, std::vector<int32_t>(D)),
             ids = integers({N, K}, chosen);
  const ExpertCounts step = {.counts = counts.target, .sent = sent.target, .ids = ids.target};
  expert_counts(device_, step);
  add(0, {0, 23}, {}, whole.target, whole_d.target);
  add(0, {0, 4}, step, split.target, split_d.target);
  add(4, {0, 12}, step, split.target, split_d.target);
  add(16, {0, 7}, step, split.target, split_d.target);
  expect_equal();
}

// Every expert and every group used equally often, M groups by each token, and every row of scores summing to
// 1: each loss is its alpha.
TEST_P(BalanceTest, IsAlphaAtPerfectBalance) {
  const int64_t N = 12, E = 6, K = 2;
  std::vector<int32_t> chosen;
  for (int64_t i = 0; i < N * K; ++i) chosen.push_back(static_cast<int32_t>(i * 2 % E + i / 3 % 2));
  const Routing r = {
      .scores = filled({N, E}, stat(), [](int64_t i) { return i % E == i / E % E ? 0.5 : 0.1; }),
      .ids = integers({N, K}, chosen),
      .starts = integers({3}, {0, 6, 12}),
      .D = 3,
      .M = 2};
  const Results out = losses_of(r, 12, {.expert = 0.003, .device = 0.05, .communication = 0.02});
  expect_close("losses", out.losses);
  const double want[] = {0.003, 0.05, 0.02};
  for (int64_t level = 0; level < 3; ++level)
    EXPECT_NEAR(element(out.losses.target, 0, level), want[level], 1e-8);
  for (int64_t e = 0; e < E; ++e) EXPECT_NEAR(element(out.prices.target, 1, e), 0.073, 1e-7);
}

TEST_P(BalanceTest, GradientMatchesDifferences) {
  const Pair scores = positive({7, 4}), ids = integers({7, 2}, {0, 1, 2, 1, 0, 3, 3, 2, 1, 0, 0, 2, 0, 1});
  const Pair starts = integers({3}, {0, 3, 7}), losses = zeros({3}), prices = output_stat({2, 4});
  const Pair dscores = output_stat({7, 4}), ones = filled({3}, stat(), [](int64_t) { return 1; });
  auto forward = [&](Device& d) {
    std::fill_n(losses.ref.as<double>(), 3, 0.0);
    balance_loss(d, {.losses = losses.ref,
                     .prices = prices.ref,
                     .scores = scores.ref,
                     .ids = ids.ref,
                     .sequence_starts = starts.ref,
                     .counts = {},
                     .sent = {},
                     .n_groups = 2,
                     .topk_groups = 2,
                     .tokens = 9,
                     .alpha = alphas});
  };
  Device reference = Device::reference();
  forward(reference);
  balance_loss_backward(
      reference, {.dscores = dscores.ref, .prices = prices.ref, .sequence_starts = starts.ref, .tokens = 9});
  expect_gradient("dscores", scores.ref, dscores.ref, losses.ref, ones.ref, forward);
}

// Values of another implementation, whose autograd made the gradients (tools/make_balance.py).
TEST_P(BalanceTest, MatchesTheGoldenValues) {
  const SafetensorsFile file(source_dir() + "/tests/golden/balance.safetensors");
  const ConstTensor stored = file.tensor("scores");
  const int64_t B = stored.shape[0], T = stored.shape[1], E = stored.shape[2], N = B * T;
  const auto golden = [&](const std::string& name, Shape shape) {
    const float* values = file.tensor(name).as<float>();
    return filled(shape, stat(), [&](int64_t i) { return values[i]; });
  };
  const double alpha = element(golden("alpha", {1}).ref, 0, 0);
  std::vector<int32_t> sequences;
  for (int64_t b = 0; b <= B; ++b) sequences.push_back(static_cast<int32_t>(b * T));
  const Routing each = {.scores = golden("scores", {N, E}),
                        .ids = integers({N, file.tensor("topk").shape[2]}, file.read_ints("topk")),
                        .starts = integers({B + 1}, sequences),
                        .D = file.read_ints("groups").at(0),
                        .M = file.read_ints("groups_kept").at(0)};
  Routing together = each;
  together.starts = integers({2}, {0, static_cast<int32_t>(N)});
  const auto expect_golden = [&](const std::string& name, const Routing& r, const BalanceLevels& level) {
    const Results out = losses_of(r, static_cast<double>(N), level);
    double sum = 0;
    for (int64_t i = 0; i < 3; ++i) sum += element(out.losses.target, 0, i);
    EXPECT_NEAR(sum, element(golden(name + ".loss", {1}).ref, 0, 0), 1e-6 * sum) << name;
    EXPECT_LT(relative_error(out.dscores.target, golden(name + ".dscores", {N, E}).ref), tolerance(stat()))
        << name;
  };
  expect_golden("expert", each, {.expert = alpha, .device = 0, .communication = 0});
  expect_golden("batch", together, {.expert = alpha, .device = 0, .communication = 0});
  expect_golden("device", each, {.expert = 0, .device = alpha, .communication = 0});
  expect_golden("communication", each, {.expert = 0, .device = 0, .communication = alpha});
}

TEST_P(BalanceTest, NamesTheFieldThatIsWrong) {
  const Pair scores = positive({2, 4}), prices = zeros({1, 4}), two = zeros({2, 4}),
             starts = integers({3}, {0, 1, 2}), ids = integers({2, 1}, {0, 1}), losses = zeros({3}),
             counts = integers({4}, {1, 1, 0, 0}), sent = integers({1}, {2});
  const BalanceLossBackward backward = {
      .dscores = scores.target, .prices = two.target, .sequence_starts = starts.target, .tokens = 2};
  const BalanceLoss forward = {.losses = losses.target,
                               .prices = two.target,
                               .scores = scores.target,
                               .ids = ids.target,
                               .sequence_starts = starts.target,
                               .counts = {},
                               .sent = {},
                               .tokens = 2,
                               .alpha = alphas};
  const auto refused = [&](auto op, auto arguments, const auto& change) {
    op(device_, arguments);
    change(arguments);
    EXPECT_THROW(op(device_, arguments), Error);
  };
  refused(balance_loss_backward, backward, [&](auto& a) { a.prices = prices.target; });
  refused(balance_loss_backward, backward, [&](auto& a) { a.tokens = 1; });
  refused(balance_loss, forward, [&](auto& a) { a.n_groups = 3; });
  refused(balance_loss, forward, [&](auto& a) { a.topk_groups = 2; });
  refused(balance_loss, forward, [&](auto& a) { a.counts = counts.target; });
  refused(balance_loss, forward, [&](auto& a) { a.counts = counts.target, a.sent = sent.target; });
}

}  // namespace
}  // namespace fathom::testing
