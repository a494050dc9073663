// Routing, balance loss, sorting, permuting and combining at DeepSeek-V2-Lite's size: 64 experts, 6 active.
#include "bench/ops/rows.h"
#include "ops/balance.h"
#include "ops/capacity.h"
#include "ops/combine.h"
#include "ops/expert_counts.h"
#include "ops/expert_ranks.h"
#include "ops/expert_sort.h"
#include "ops/permute.h"
#include "ops/router.h"
#include "ops/router_bias.h"
#include "ops/router_replay.h"
#include "ops/router_sort.h"

namespace fathom::bench {
namespace {

constexpr int64_t N = 4096, C = 2048, E = 64, K = 6, M = N * K;

void router_rows(Bench& b) {
  const Tensor logits = b.random(DType::f32, {N, E}), scores = b.zeros(DType::f32, {N, E}),
               ids = b.zeros(DType::i32, {N, K}), weights = b.zeros(DType::f32, {N, K});
  const std::string shape = fmt::format(" {}x{}, K {}", N, E, K);
  const double bytes = static_cast<double>(2 * scores.bytes());
  b.row("router_forward" + shape, bytes, 0, [&] {
    router_forward(b.device(), {.scores = scores, .ids = ids, .weights = weights, .logits = logits});
  });
  b.row("router_backward" + shape, bytes, 0, [&] {
    router_backward(b.device(),
                    {.dlogits = logits, .dweights = weights, .dscores = {}, .scores = scores, .ids = ids});
  });
  const Tensor bias = b.random(DType::f32, {E}), counts = b.zeros(DType::i32, {E});
  b.row("router_forward biased" + shape, bytes, 0, [&] {
    router_forward(b.device(),
                   {.scores = scores, .ids = ids, .weights = weights, .logits = logits, .bias = bias});
  });
  b.row(fmt::format("router_bias_update {}", E), static_cast<double>(2 * bias.bytes() + counts.bytes()), 0,
        [&] { router_bias_update(b.device(), {.bias = bias, .counts = counts, .speed = 1e-3}); });
  const Tensor tokens = b.integers({N}, [](int64_t i) { return static_cast<int32_t>(i); }),
               given = b.integers({N, K}, [](int64_t i) { return static_cast<int32_t>(i * 7919 % E); });
  b.row("router_replay" + shape, static_cast<double>(4 * ids.bytes()), 0, [&] {
    router_replay(b.device(),
                  {.ids = ids, .weights = weights, .scores = scores, .given = given, .rows = tokens});
  });
}

void router_sort_rows(Bench& b) {
  for (int64_t tokens : {1, 16, 32, 64}) {
    const Tensor logits = b.random(DType::f32, {tokens, E}), scores = b.zeros(DType::f32, {tokens, E}),
                 ids = b.zeros(DType::i32, {tokens, K}), weights = b.zeros(DType::f32, {tokens, K}),
                 offsets = b.zeros(DType::i32, {E + 1}), row_of = b.zeros(DType::i32, {tokens, K}),
                 token_of = b.zeros(DType::i32, {tokens * K});
    b.row(fmt::format("router_sort {}x{}, K {}", tokens, E, K), static_cast<double>(2 * scores.bytes()), 0,
          [&] {
            router_sort(b.device(),
                        {.router = {.scores = scores, .ids = ids, .weights = weights, .logits = logits},
                         .sort = {.offsets = offsets, .row_of = row_of, .token_of = token_of, .ids = ids}});
          });
  }
}

void balance_rows(Bench& b) {
  constexpr int64_t B = 4;
  const Tensor scores = b.random(DType::f32, {N, E}), losses = b.zeros(DType::f32, {3}),
               prices = b.zeros(DType::f32, {B, E});
  const Tensor ids = b.integers({N, K}, [](int64_t i) { return static_cast<int32_t>(i * 7919 % E); }),
               starts = b.integers({B + 1}, [](int64_t i) { return static_cast<int32_t>(i * N / B); });
  const std::string shape = fmt::format(" {}x{}, K {}", N, E, K);
  const double bytes = static_cast<double>(scores.bytes());
  b.row("balance_loss" + shape, bytes, 0, [&] {
    balance_loss(b.device(), {.losses = losses,
                              .prices = prices,
                              .scores = scores,
                              .ids = ids,
                              .sequence_starts = starts,
                              .counts = {},
                              .sent = {},
                              .n_groups = 8,
                              .topk_groups = 3,
                              .tokens = N,
                              .alpha = {0.003, 0.05, 0.02}});
  });
  b.row("balance_loss_backward" + shape, bytes, 0, [&] {
    balance_loss_backward(b.device(),
                          {.dscores = scores, .prices = prices, .sequence_starts = starts, .tokens = N});
  });
}

void capacity_rows(Bench& b) {
  constexpr int64_t D = 8;
  const Tensor scores = b.random(DType::f32, {N, E}), kept = b.zeros(DType::i32, {N, K}),
               ids = b.integers({N, K}, [](int64_t i) { return static_cast<int32_t>(i * 7919 % E); }),
               exempt = b.zeros(DType::i32, {1});
  b.row(fmt::format("capacity {}x{} of {}, {} groups", N, K, E, D), static_cast<double>(3 * ids.bytes()), 0,
        [&] {
          capacity(b.device(), {.kept = kept,
                                .dropped = {},
                                .ids = ids,
                                .scores = scores,
                                .exempt = exempt,
                                .n_groups = D,
                                .capacity = N * K / D - 100});
        });
}

void permute_rows(Bench& b, DType t) {
  const Tensor offsets = b.zeros(DType::i32, {E + 1}), row_of = b.zeros(DType::i32, {N, K}),
               token_of = b.zeros(DType::i32, {M});
  const Tensor ids = b.integers({N, K}, [](int64_t i) { return static_cast<int32_t>(i * 7919 % E); });
  b.row(fmt::format("expert_sort {}x{} into {}", N, K, E), static_cast<double>(4 * ids.bytes()), 0, [&] {
    expert_sort(b.device(), {.offsets = offsets, .row_of = row_of, .token_of = token_of, .ids = ids});
  });
  expert_sort(b.device(), {.offsets = offsets, .row_of = row_of, .token_of = token_of, .ids = ids});
  const Tensor counts = b.zeros(DType::i32, {E}), groups = b.zeros(DType::i32, {8});
  b.row(fmt::format("expert_counts {}x{} of {}", N, K, E), static_cast<double>(ids.bytes()), 0,
        [&] { expert_counts(b.device(), {.counts = counts, .sent = groups, .ids = ids}); });
  const Tensor ranks = b.zeros(DType::i32, {N, K}), choices = b.zeros(DType::i32, {8}),
               of_ranks = b.zeros(DType::i32, {9}), sent_of = b.zeros(DType::i32, {N, K}),
               sent = b.zeros(DType::i32, {M}), local = b.zeros(DType::i32, {M, K});
  const auto to_ranks = [&] {
    expert_ranks(b.device(), {.ranks = ranks, .choices = choices, .ids = ids, .experts = E / 8});
  };
  b.row(fmt::format("expert_ranks {}x{} of {} on 8", N, K, E), static_cast<double>(2 * ids.bytes()), 0,
        to_ranks);
  to_ranks();
  expert_sort(b.device(), {.offsets = of_ranks, .row_of = sent_of, .token_of = sent, .ids = ranks});
  b.row(fmt::format("expert_ranks_local {}x{} of {} on 8", N, K, E), static_cast<double>(3 * ids.bytes()), 0,
        [&] {
          expert_ranks_local(b.device(), {.local = local, .ids = ids, .row_of = sent_of, .experts = E / 8});
        });

  const Tensor x = b.random(t, {N, C}), rows = b.random(t, {M, C}), drows = b.zeros(t, {M, C}),
               weights = b.random(DType::f32, {N, K}), dweights = b.zeros(DType::f32, {N, K});
  const std::string shape = fmt::format(" {}x{}, K {}, {}", N, C, K, name_of(t));
  const double one = static_cast<double>(x.bytes()), many = static_cast<double>(rows.bytes());
  const double elements = static_cast<double>(rows.count());
  b.row("permute" + shape, one + many, 0,
        [&] { permute(b.device(), {.out = rows, .x = x, .token_of = token_of}); });
  b.row("permute_backward" + shape, one + many, elements,
        [&] { permute_backward(b.device(), {.dx = x, .dout = rows, .row_of = row_of}); });
  b.row("combine" + shape, one + many, 2 * elements,
        [&] { combine(b.device(), {.out = x, .rows = rows, .weights = weights, .row_of = row_of}); });
  b.row("combine_backward" + shape, one + 2 * many, 3 * elements, [&] {
    combine_backward(b.device(), {.drows = drows,
                                  .dweights = dweights,
                                  .dout = x,
                                  .rows = rows,
                                  .weights = weights,
                                  .row_of = row_of});
  });
}

}  // namespace

void moe_rows(Bench& b) {
  router_rows(b);
  router_sort_rows(b);
  balance_rows(b);
  capacity_rows(b);
  for (DType t : {DType::f32, DType::bf16}) {
    permute_rows(b, t);
    b.clear();
  }
}

}  // namespace fathom::bench
