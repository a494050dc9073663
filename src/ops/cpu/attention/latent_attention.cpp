// Decoding over the latent cache: a tile of cached rows is read once for all heads of a query, as operand A
// of the scores and operand B of the output. Long contexts are computed in splits by several threads
// (split-KV); the splits depend only on the length of the context and are combined in order, so a result
// depends neither on the threads nor on the batch.
#include "ops/latent_attention.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/cpu/attention/latent_attention.cpp"
#include <hwy/foreach_target.h>
// must come after foreach_target
#include "ops/cpu/attention/block_gemm.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

HWY_BEFORE_NAMESPACE();
namespace fathom::cpu::HWY_NAMESPACE {
namespace {

constexpr int64_t token_tile = 64, shortest_tile = 16;
constexpr int64_t min_split_tokens = 128, max_splits = 16;  // of a context
constexpr int64_t query_batch = 16;                         // bounds the memory of the splits' results

int64_t splits_of(int64_t tokens) {
  return std::min(max_splits, (tokens + min_split_tokens - 1) / min_split_tokens);
}

// With few heads a panel is one vector wide.
struct Sizes {
  int64_t H, R, Dr, width = R + Dr;
  int64_t panel = H <= lanes ? lanes : panel_width, heads = round_up(H, panel);
  int64_t ld_tile = padded(width), ld_out = padded(R);
  int64_t split = heads * (ld_out + 2);  // floats of one split's result: out, then max and sum per head
};

// The result of a split, before the division by the sum.
struct SplitResult {
  float *out, *max, *sum;
  SplitResult(const Sizes& z, float* memory)
      : out(memory), max(memory + z.heads * z.ld_out), sum(max + z.heads) {}
};

struct Scratch {
  float *q, *tile, *scores, *rescale;
  size_t bytes;
  Scratch(const Sizes& z, void* memory) {
    ScratchLayout p(memory);
    q = p.take<float>(z.heads * z.width), tile = p.take<float>(token_tile * z.ld_tile);
    scores = p.take<float>(token_tile * z.heads), rescale = p.take<float>(z.heads);
    bytes = p.bytes();
  }
};

// Cached tokens as f32 rows.
struct CachedTile {
  const float* rows;
  int64_t ld, tokens;
};

// The next tile of the tokens t .. end - 1 of sequence b: in place where the page's layout allows it, else a
// copy. Reading whole panels of R must stay inside a row of the page.
template <class T>
CachedTile next_tile(const LatentAttention& a, const Sizes& z, int64_t b, int64_t t, int64_t end,
                     float* copy) {
  const int64_t page = a.pages.shape[1], tokens = std::min(token_tile, end - t);
  const int32_t* table = a.block_table.row<int32_t>(b);
  const auto cached = [&](int64_t i) { return a.pages.row<T>(table[i / page] * page + i % page); };
  if constexpr (std::is_same_v<T, float>)
    if (page >= shortest_tile && round_up(z.R, panel_width) <= z.width)
      return {cached(t), a.pages.row_stride, std::min(tokens, page - t % page)};
  for (int64_t i = 0; i < tokens; ++i) scale_row(cached(t + i), copy + i * z.ld_tile, z.width, 1);
  return {copy, z.ld_tile, tokens};
}

// Online softmax: scores [tokens, heads] become 2^(score - max) for all heads at once, and max and sum are
// updated.
void softmax_tile(const Sizes& z, const SplitResult& split, const Scratch& w, int64_t tokens) {
  const F32 d;
  for (int64_t h = 0; h < z.heads; h += lanes) {
    float* s = w.scores + h;
    const Vec old = hn::LoadU(d, split.max + h);
    Vec max = old;
    for (int64_t t = 0; t < tokens; ++t) max = hn::Max(max, hn::LoadU(d, s + t * z.heads));
    const Vec rescale = exp2(d, hn::Sub(old, max));
    Vec sum = hn::Mul(hn::LoadU(d, split.sum + h), rescale);
    for (int64_t t = 0; t < tokens; ++t) {
      const Vec p = exp2(d, hn::Sub(hn::LoadU(d, s + t * z.heads), max));
      sum = hn::Add(sum, p);
      hn::StoreU(p, d, s + t * z.heads);
    }
    hn::StoreU(max, d, split.max + h), hn::StoreU(sum, d, split.sum + h);
    hn::StoreU(rescale, d, w.rescale + h);
  }
  for (int64_t h = 0; h < z.H; ++h)
    if (w.rescale[h] != 1) scale_row(split.out + h * z.ld_out, split.out + h * z.ld_out, z.R, w.rescale[h]);
}

// Query n over tokens begin..end-1 of its sequence.
template <class T>
void attend_split(const LatentAttention& a, const Sizes& z, int64_t n, int64_t begin, int64_t end,
                  const SplitResult& split, const Scratch& w) {
  pack_transposed(a.q_latent.row<T>(n * z.H), a.q_latent.row_stride, z.H, z.R, w.q, z.width * z.panel,
                  z.panel);
  pack_transposed(a.q_rope.row<T>(n * z.H), a.q_rope.row_stride, z.H, z.Dr, w.q + z.R * z.panel,
                  z.width * z.panel, z.panel);
  scale_row(w.q, w.q, z.heads * z.width, static_cast<float>(a.scale) * std::numbers::log2e_v<float>);
  std::fill_n(split.out, z.H * z.ld_out, 0.0f);
  std::fill_n(split.max, z.heads, -std::numeric_limits<float>::infinity());
  std::fill_n(split.sum, z.heads, 0.0f);
  const OperandB queries{w.q, z.panel, z.width * z.panel};
  int64_t tokens;
  for (int64_t t = begin; t < end; t += tokens) {
    const CachedTile tile = next_tile<T>(a, z, a.sequence.as<int32_t>()[n], t, end, w.tile);
    tokens = tile.tokens;
    const OperandA<false> rows{tile.rows, tile.ld};
    const auto whole_row = [&](int64_t, int64_t, int64_t) { return Range{0, z.width}; };
    if (z.panel == lanes)
      block_gemm<1>(tokens, z.heads / z.panel, rows, queries, w.scores, z.heads, false, whole_row);
    else
      block_gemm(tokens, z.heads / z.panel, rows, queries, w.scores, z.heads, false, whole_row);
    softmax_tile(z, split, w, tokens);
    block_gemm(z.H, round_up(z.R, panel_width) / panel_width, OperandA<true>{w.scores, z.heads},
               OperandB{tile.rows, tile.ld, panel_width}, split.out, z.ld_out, true,
               [&](int64_t, int64_t, int64_t) {
                 return Range{0, tokens};
               });
  }
}

// out[n, h] = the outputs of the splits, weighted by 2^(max - largest max), divided by the sum over all.
template <class T>
void combine_splits(const LatentAttention& a, const Sizes& z, int64_t n, int64_t h, int64_t splits,
                    float* memory) {
  const F32 d;
  float max = -std::numeric_limits<float>::infinity(), sum = 0;
  for (int64_t i = 0; i < splits; ++i) max = std::max(max, SplitResult(z, memory + i * z.split).max[h]);
  float* out = SplitResult(z, memory).out + h * z.ld_out;
  for (int64_t i = 0; i < splits; ++i) {
    const SplitResult split(z, memory + i * z.split);
    const float weight = std::exp2(split.max[h] - max);
    sum += weight * split.sum[h];
    const float* from = split.out + h * z.ld_out;
    if (i == 0)
      scale_row(from, out, z.R, weight);
    else
      for (int64_t c = 0; c < z.R; c += lanes)
        hn::StoreU(hn::MulAdd(hn::Set(d, weight), hn::LoadU(d, from + c), hn::LoadU(d, out + c)), d, out + c);
  }
  scale_row(out, a.out.row<T>(n * z.H + h), z.R, 1 / sum);
}

// Queries first..first+queries-1, each in `slots` splits at most.
template <class T>
void attend_queries(const Device& device, const LatentAttention& a, const Sizes& z, int64_t first,
                    int64_t queries, int64_t slots, float* memory) {
  const int32_t* positions = a.positions.as<int32_t>();
  const size_t bytes = Scratch(z, nullptr).bytes;
  parallel_tasks(device.threads(), queries * slots, [&](int thread, int64_t task) {
    const int64_t n = first + task / slots, i = task % slots, tokens = positions[n] + 1,
                  splits = splits_of(tokens);
    if (i >= splits) return;
    attend_split<T>(a, z, n, tokens * i / splits, tokens * (i + 1) / splits,
                    SplitResult(z, memory + task * z.split), Scratch(z, device.scratch(thread, bytes)));
  });
  parallel_tasks(device.threads(), queries * z.H, [&](int, int64_t task) {
    const int64_t q = task / z.H;
    combine_splits<T>(a, z, first + q, task % z.H, splits_of(positions[first + q] + 1),
                      memory + q * slots * z.split);
  });
}

}  // namespace

void latent_attention(Device& device, const LatentAttention& a) {
  const Sizes z{.H = a.out.shape[1], .R = a.out.cols(), .Dr = a.q_rope.cols()};
  const int64_t N = a.out.shape[0];
  const int32_t* positions = a.positions.as<int32_t>();
  int64_t slots = 0;
  for (int64_t n = 0; n < N; ++n) slots = std::max(slots, splits_of(positions[n] + 1));
  float* memory =
      static_cast<float*>(device.shared_scratch(std::min(N, query_batch) * slots * z.split * sizeof(float)));
  with_dtype<float, bf16>("latent_attention", a.out.dtype, [&]<class T>(T) {
    for (int64_t n = 0; n < N; n += query_batch)
      attend_queries<T>(device, a, z, n, std::min(query_batch, N - n), slots, memory);
  });
}

}  // namespace fathom::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fathom::cpu {
FATHOM_SIMD_OP(latent_attention, LatentAttention)
}  // namespace fathom::cpu
#endif
