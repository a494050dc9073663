// Operations are those below the diagonal only: 2 (D + Dv) a pair of query and key forward, 2 (3 D + 2 Dv)
// backward, where the scores are recomputed.
#include "ops/attention.h"

#include <cmath>

#include "bench/ops/rows.h"
#include "ops/attention_merge.h"
#include "ops/latent_attention.h"
#include "ops/latent_cache.h"
#include "tensor/replay.h"

namespace fathom::bench {
namespace {

struct Case {
  int64_t B, T, H, Dn, Dr, Dv;
};

void expanded_rows(Bench& b, const Case& c, DType t) {
  const int64_t N = c.B * c.T, D = c.Dn + c.Dr;
  const Tensor q = b.random(t, {N, c.H, D}), kv = b.random(t, {N, c.H, c.Dn + c.Dv});
  const Tensor k_rope = b.random(t, {N, c.Dr}), out = b.zeros(t, {N, c.H, c.Dv});
  const Tensor lse = b.zeros(DType::f32, {N, c.H}), dout = b.random(t, {N, c.H, c.Dv});
  const Tensor dq = b.zeros(t, {N, c.H, D}), dkv = b.zeros(t, {N, c.H, c.Dn + c.Dv});
  const Tensor dk_rope = b.zeros(t, {N, c.Dr});
  const Tensor starts = b.integers({c.B + 1}, [&](int64_t i) { return static_cast<int32_t>(i * c.T); });
  const double scale = 1 / std::sqrt(static_cast<double>(D));
  const double pairs = 0.5 * static_cast<double>(c.B * c.H * c.T * (c.T + 1));
  const std::string shape =
      fmt::format(" {}x{} H{} {}+{}/{} {}", c.B, c.T, c.H, c.Dn, c.Dr, c.Dv, name_of(t));
  b.row("attention_forward" + shape, 0, pairs * 2.0 * static_cast<double>(D + c.Dv), [&] {
    attention_forward(b.device(), {.out = out,
                                   .lse = lse,
                                   .q = q,
                                   .kv = kv,
                                   .k_rope = k_rope,
                                   .q_starts = starts,
                                   .kv_starts = starts,
                                   .scale = scale});
  });
  attention_forward(b.device(), {.out = out,
                                 .lse = lse,
                                 .q = q,
                                 .kv = kv,
                                 .k_rope = k_rope,
                                 .q_starts = starts,
                                 .kv_starts = starts,
                                 .scale = scale});
  b.row("attention_backward" + shape, 0, pairs * 2.0 * static_cast<double>(3 * D + 2 * c.Dv), [&] {
    attention_backward(b.device(), {.dq = dq,
                                    .dkv = dkv,
                                    .dk_rope = dk_rope,
                                    .dout = dout,
                                    .out = out,
                                    .lse = lse,
                                    .q = q,
                                    .kv = kv,
                                    .k_rope = k_rope,
                                    .q_starts = starts,
                                    .kv_starts = starts,
                                    .scale = scale});
  });
}

// N queries after a prefix of M keys: the prefix without a mask, and its result into what is merged already.
void prefix_rows(Bench& b, int64_t N, int64_t M, const Case& c, DType t) {
  const int64_t D = c.Dn + c.Dr;
  const Tensor q = b.random(t, {N, c.H, D}), kv = b.random(t, {M, c.H, c.Dn + c.Dv});
  const Tensor k_rope = b.random(t, {M, c.Dr}), out = b.zeros(t, {N, c.H, c.Dv});
  const Tensor lse = b.zeros(DType::f32, {N, c.H}), merged_lse = b.zeros(DType::f32, {N, c.H});
  const Tensor merged = b.zeros(DType::f32, {N, c.H, c.Dv});
  const auto starts = [&](int64_t n) {
    return b.integers({2}, [n](int64_t i) { return static_cast<int32_t>(i * n); });
  };
  const Tensor q_starts = starts(N), kv_starts = starts(M);
  const double operations = 2.0 * static_cast<double>(N * M * c.H * (D + c.Dv));
  b.row(fmt::format("attention_forward {} after {} H{} {}+{}/{} {}", N, M, c.H, c.Dn, c.Dr, c.Dv, name_of(t)),
        0, operations, [&] {
          attention_forward(b.device(), {.out = out,
                                         .lse = lse,
                                         .q = q,
                                         .kv = kv,
                                         .k_rope = k_rope,
                                         .q_starts = q_starts,
                                         .kv_starts = kv_starts,
                                         .scale = 1 / std::sqrt(static_cast<double>(D)),
                                         .causal = false});
        });
  const auto bytes = static_cast<double>(out.bytes() + 2 * merged.bytes() + 3 * lse.bytes());
  b.row(fmt::format("attention_merge {} H{} {} {}", N, c.H, c.Dv, name_of(t)), bytes, 0, [&] {
    attention_merge(b.device(), {.merged = merged, .merged_lse = merged_lse, .part = out, .part_lse = lse});
  });
}

struct Latent {
  int64_t H, R, Dr;
};

// One query at the end of each of B contexts; bytes are those of the cache, read once.
void decode_row(Bench& b, const Latent& shape, int64_t B, int64_t depth, DType t) {
  constexpr int64_t page = 64;
  const auto [H, R, Dr] = shape;
  const int64_t pages_each = (depth + page - 1) / page;
  const Tensor q = b.random(t, {B, H, R}), q_rope = b.random(t, {B, H, Dr}), out = b.zeros(t, {B, H, R});
  const Tensor pages = b.random(t, {B * pages_each, page, R + Dr});
  const Tensor table =
      b.integers({B, pages_each}, [&](int64_t i) { return static_cast<int32_t>(B * pages_each - 1 - i); });
  const Tensor sequence = b.integers({B}, [](int64_t i) { return static_cast<int32_t>(i); });
  const Tensor positions = b.integers({B}, [&](int64_t) { return static_cast<int32_t>(depth - 1); });
  const double tokens = static_cast<double>(B * depth);
  Replay graph;  // short kernels: without it the host's launches would be timed
  const auto attend = [&] {
    latent_attention(b.device(), {.out = out,
                                  .q_latent = q,
                                  .q_rope = q_rope,
                                  .pages = pages,
                                  .block_table = table,
                                  .sequence = sequence,
                                  .positions = positions,
                                  .scale = 0.07});
  };
  b.row(fmt::format("latent_attention {}x{} H{} {}+{} {}", B, depth, H, R, Dr, name_of(t)),
        tokens * (R + Dr) * static_cast<double>(size_of(t)),
        tokens * H * 2.0 * static_cast<double>(2 * R + Dr), [&] { graph.run(b.device(), {}, attend); });
}

// A prompt's rows written to the cache, and read back.
void cache_rows(Bench& b, DType t) {
  constexpr int64_t N = 4096, page = 64, width = 512 + 64, pages_needed = N / page;
  const Tensor latent = b.random(t, {N, width}), pages = b.zeros(t, {pages_needed, page, width});
  const auto count = [](int64_t i) { return static_cast<int32_t>(i); };
  const Tensor table = b.integers({1, pages_needed}, count), positions = b.integers({N}, count),
               sequence = b.zeros(DType::i32, {N}),
               starts = b.integers({2}, [](int64_t i) { return static_cast<int32_t>(i * N); });
  const std::string shape = fmt::format(" {}x{} {}", N, width, name_of(t));
  const double bytes = static_cast<double>(2 * latent.bytes());
  b.row("latent_cache_write" + shape, bytes, 0, [&] {
    latent_cache_write(b.device(), {.pages = pages,
                                    .latent = latent,
                                    .block_table = table,
                                    .sequence = sequence,
                                    .positions = positions});
  });
  b.row("latent_cache_read" + shape, bytes, 0, [&] {
    latent_cache_read(b.device(), {.out = latent, .pages = pages, .block_table = table, .kv_starts = starts});
  });
}

}  // namespace

void attention_rows(Bench& b) {
  const std::vector<Case> cases = {
      {8, 512, 8, 64, 32, 64}, {1, 2048, 16, 128, 64, 128}, {1, 4096, 16, 128, 64, 128}};
  const bool wanted = b.wants("attention_forward") || b.wants("attention_backward");
  for (DType t : {DType::f32, DType::bf16})
    for (const Case& c : cases)
      if (wanted) expanded_rows(b, c, t), b.clear();
  // Too much for a CPU: a training step of bench/configs/moe-1b.json, a long prompt, V2's heads.
  if (wanted && !b.device().on_host())
    for (const Case& c :
         {Case{4, 4096, 8, 128, 64, 128}, Case{1, 16384, 16, 128, 64, 128}, Case{1, 4096, 128, 128, 64, 128}})
      expanded_rows(b, c, DType::bf16), b.clear();
  for (DType t : {DType::f32, DType::bf16})
    if (wanted || b.wants("attention_merge")) prefix_rows(b, 512, 8192, cases.back(), t), b.clear();
  for (const Latent& shape : {Latent{16, 512, 64}, Latent{8, 128, 32}})  // V2-Lite, recipes/small.toml
    for (DType t : {DType::f32, DType::bf16})
      for (int64_t B : {1, 8})
        for (int64_t depth : {512, 4096, 32768})
          if (b.wants("latent_attention") && B * depth <= 32768) decode_row(b, shape, B, depth, t), b.clear();
  // Batches on a GPU: V2-Lite's heads, bound by reading the cache, and V2's, bound by arithmetic.
  if (b.wants("latent_attention") && !b.device().on_host()) {
    for (const auto& [B, depth] : {std::pair{64, 8192}, {256, 4096}, {64, 1024}, {8, 4096}})
      decode_row(b, {16, 512, 64}, B, depth, DType::bf16), b.clear();
    for (const auto& [B, depth] : {std::pair{128, 4096}, {32, 4096}, {1, 8192}})
      decode_row(b, {128, 512, 64}, B, depth, DType::bf16), b.clear();
  }
  if (b.wants("latent_cache"))
    for (DType t : {DType::f32, DType::bf16}) cache_rows(b, t), b.clear();
}

}  // namespace fathom::bench
