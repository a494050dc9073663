// Operations are those below the diagonal only: 2 (D + Dv) a pair of query and key forward, 2 (3 D + 2 Dv)
// backward, where the scores are recomputed.
#include "ops/attention.h"

#include <cmath>

#include "bench/ops/rows.h"
#include "ops/attention_merge.h"
#include "ops/fill_normal.h"
#include "ops/latent_attention.h"
#include "ops/latent_cache.h"
#include "ops/paged_attention.h"
#include "tensor/replay.h"

namespace fathom::bench {
namespace {

struct Case {
  int64_t B, T, H, Dn, Dr, Dv;
  int64_t G = H;  // heads of keys and values

  // Multi-head attention of MLA, or grouped-query attention.
  std::string heads() const {
    return Dr > 0 ? fmt::format("H{} {}+{}/{}", H, Dn, Dr, Dv) : fmt::format("H{} G{} {}/{}", H, G, Dn, Dv);
  }
};

void expanded_rows(Bench& b, const Case& c, DType t) {
  const int64_t N = c.B * c.T, D = c.Dn + c.Dr;
  const Tensor q = b.random(t, {N, c.H, D}), kv = b.random(t, {N, c.G, c.Dn + c.Dv});
  const Tensor k_rope = c.Dr > 0 ? b.random(t, {N, c.Dr}) : Tensor(), out = b.zeros(t, {N, c.H, c.Dv});
  const Tensor lse = b.zeros(DType::f32, {N, c.H}), dout = b.random(t, {N, c.H, c.Dv});
  const Tensor dq = b.zeros(t, {N, c.H, D}), dkv = b.zeros(t, {N, c.G, c.Dn + c.Dv});
  const Tensor dk_rope = c.Dr > 0 ? b.zeros(t, {N, c.Dr}) : Tensor();
  const Tensor starts = b.integers({c.B + 1}, [&](int64_t i) { return static_cast<int32_t>(i * c.T); });
  const double scale = 1 / std::sqrt(static_cast<double>(D));
  const double pairs = 0.5 * static_cast<double>(c.B * c.H * c.T * (c.T + 1));
  const std::string shape = fmt::format(" {}x{} {} {}", c.B, c.T, c.heads(), name_of(t));
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
  b.row(fmt::format("attention_forward {} after {} {} {}", N, M, c.heads(), name_of(t)), 0, operations, [&] {
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

// One query at the end of each of B contexts of `depth` tokens, and the pages of their cache.
struct Decoding {
  static constexpr int64_t page = 64;
  int64_t B, depth;
  Tensor pages, table, sequence, positions;

  Decoding(Bench& b, int64_t B_, int64_t depth_, int64_t width, DType t) : B(B_), depth(depth_) {
    const int64_t each = (depth + page - 1) / page, count = B * each;
    pages = b.zeros(t, {count, page, width});
    fill_normal(b.device(), {.out = pages, .std = 1, .seed = 1});
    table = b.integers({B, each}, [&](int64_t i) { return static_cast<int32_t>(count - 1 - i); });
    sequence = b.integers({B}, [](int64_t i) { return static_cast<int32_t>(i); });
    positions = b.integers({B}, [&](int64_t) { return static_cast<int32_t>(depth - 1); });
  }
  // Bytes are those of the cache, read once.
  void row(Bench& b, const std::string& op, const std::string& heads, double flops_per_token,
           const std::function<void()>& attend) const {
    const auto tokens = static_cast<double>(B * depth);
    Replay graph;  // short kernels: without it the host's launches would be timed
    b.row(fmt::format("{} {}x{} {} {}", op, B, depth, heads, name_of(pages.dtype)),
          tokens * static_cast<double>(pages.cols() * size_of(pages.dtype)), tokens * flops_per_token,
          [&] { graph.run(b.device(), {}, attend); });
  }
};

struct Latent {
  int64_t H, R, Dr;
};

void latent_row(Bench& b, const Latent& shape, int64_t B, int64_t depth, DType t) {
  const auto [H, R, Dr] = shape;
  const Tensor q = b.random(t, {B, H, R}), q_rope = b.random(t, {B, H, Dr}), out = b.zeros(t, {B, H, R});
  const Decoding d(b, B, depth, R + Dr, t);
  d.row(b, "latent_attention", fmt::format("H{} {}+{}", H, R, Dr),
        2.0 * static_cast<double>(H * (2 * R + Dr)), [&] {
          latent_attention(b.device(), {.out = out,
                                        .q_latent = q,
                                        .q_rope = q_rope,
                                        .pages = d.pages,
                                        .block_table = d.table,
                                        .sequence = d.sequence,
                                        .positions = d.positions,
                                        .scale = 0.07});
        });
}

struct Grouped {
  int64_t H, G, D;
};

void paged_row(Bench& b, const Grouped& shape, int64_t B, int64_t depth, DType t) {
  const auto [H, G, D] = shape;
  const Tensor q = b.random(t, {B, H, D}), out = b.zeros(t, {B, H, D});
  const Decoding d(b, B, depth, G * 2 * D, t);
  d.row(b, "paged_attention", fmt::format("H{} G{} {}/{}", H, G, D, D), 4.0 * static_cast<double>(H * D),
        [&] {
          paged_attention(b.device(), {.out = out,
                                       .q = q,
                                       .pages = d.pages,
                                       .block_table = d.table,
                                       .sequence = d.sequence,
                                       .positions = d.positions,
                                       .scale = 0.09});
        });
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
  // The same sizes with heads of Llama's form: grouped-query and multi-head attention.
  for (const Case& c : {Case{1, 4096, 32, 128, 0, 128, 8}, Case{1, 4096, 16, 128, 0, 128}})
    if (wanted) expanded_rows(b, c, DType::bf16), b.clear();
  // Too much for a CPU: a training step of bench/configs/moe-1b.json, a long prompt, V2's heads; a long
  // prompt with grouped heads, many sequences with one head of keys.
  if (wanted && !b.device().on_host())
    for (const Case& c :
         {Case{4, 4096, 8, 128, 64, 128}, Case{1, 16384, 16, 128, 64, 128}, Case{1, 4096, 128, 128, 64, 128},
          Case{1, 16384, 32, 128, 0, 128, 8}, Case{8, 4096, 16, 128, 0, 128, 1}})
      expanded_rows(b, c, DType::bf16), b.clear();
  for (DType t : {DType::f32, DType::bf16})
    if (wanted || b.wants("attention_merge")) prefix_rows(b, 512, 8192, cases.back(), t), b.clear();
  for (const Latent& shape : {Latent{16, 512, 64}, Latent{8, 128, 32}})  // V2-Lite, recipes/small.toml
    for (DType t : {DType::f32, DType::bf16})
      for (int64_t B : {1, 8})
        for (int64_t depth : {512, 4096, 32768})
          if (b.wants("latent_attention") && B * depth <= 32768) latent_row(b, shape, B, depth, t), b.clear();
  // Batches on a GPU: V2-Lite's heads, bound by reading the cache, and V2's, bound by arithmetic.
  if (b.wants("latent_attention") && !b.device().on_host()) {
    for (const auto& [B, depth] : {std::pair{64, 8192}, {256, 4096}, {64, 1024}, {8, 4096}})
      latent_row(b, {16, 512, 64}, B, depth, DType::bf16), b.clear();
    for (const auto& [B, depth] : {std::pair{128, 4096}, {32, 4096}, {1, 8192}})
      latent_row(b, {128, 512, 64}, B, depth, DType::bf16), b.clear();
    // Narrow latents: those of heads of 32 in the paper's proportions, and recipes/small.toml's.
    for (const auto& [B, depth] : {std::pair{154, 32768}, {1, 32768}, {1, 4096}})
      latent_row(b, {24, 128, 16}, B, depth, DType::bf16), b.clear();
    latent_row(b, {8, 128, 32}, 64, 4096, DType::bf16), b.clear();
  }
  for (DType t : {DType::f32, DType::bf16})
    for (int64_t depth : {512, 4096})
      if (b.wants("paged_attention")) paged_row(b, {32, 8, 128}, 1, depth, t), b.clear();
  // Batches on a GPU, bound by reading the cache: grouped-query and multi-head attention.
  if (b.wants("paged_attention") && !b.device().on_host()) {
    for (const auto& [B, depth] : {std::pair{64, 4096}, {128, 32768}, {8, 4096}, {1, 32768}})
      paged_row(b, {32, 8, 128}, B, depth, DType::bf16), b.clear();
    for (const Grouped& shape : {Grouped{64, 8, 128}, {16, 16, 128}, {32, 1, 128}, {32, 8, 64}})
      paged_row(b, shape, 64, 4096, DType::bf16), b.clear();
  }
  if (b.wants("latent_cache"))
    for (DType t : {DType::f32, DType::bf16}) cache_rows(b, t), b.clear();
}

}  // namespace fathom::bench
