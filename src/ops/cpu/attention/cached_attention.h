// Attention of single queries to cached rows (split-KV), for latent_attention.cpp and paged_attention.cpp: a
// tile of cached rows is read once for all heads of a query that share it, as operand A of the scores and
// operand B of the output. Long contexts are computed in splits by several threads; the splits depend only on
// the length of the context and are combined in order, so a result depends neither on the threads nor on the
// batch. Included once per Highway target, like simd.h.
#if defined(FATHOM_OPS_CPU_CACHED_ATTENTION_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef FATHOM_OPS_CPU_CACHED_ATTENTION_H_
#undef FATHOM_OPS_CPU_CACHED_ATTENTION_H_
#else
#define FATHOM_OPS_CPU_CACHED_ATTENTION_H_
#endif

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "ops/cpu/attention/block_gemm.h"

HWY_BEFORE_NAMESPACE();
namespace fathom::cpu::HWY_NAMESPACE {

inline constexpr int64_t token_tile = 64, shortest_tile = 16;
inline constexpr int64_t min_split_tokens = 128, max_splits = 16;  // of a context
inline constexpr int64_t query_batch = 16;                         // bounds the memory of the splits' results

inline int64_t splits_of(int64_t tokens) {
  return std::min(max_splits, (tokens + min_split_tokens - 1) / min_split_tokens);
}

// A cached row is G slices, each of H heads of queries: a slice's first `key` columns are the key, `value`
// columns from value_column on the value. With few heads a panel is one vector wide.
struct CachedSizes {
  int64_t H, G, key, value, value_column;
  int64_t slice = std::max(key, value_column + value);
  int64_t panel = H <= lanes ? lanes : panel_width, heads = round_up(H, panel);
  int64_t ld_tile = padded(std::max(slice, value_column + round_up(value, panel_width))),
          ld_out = padded(value);
  int64_t split = heads * (ld_out + 2);  // floats of one split's result: out, then max and sum per head
};

// The result of a split, before the division by the sum.
struct SplitResult {
  float *out, *max, *sum;
  SplitResult(const CachedSizes& z, float* memory)
      : out(memory), max(memory + z.heads * z.ld_out), sum(max + z.heads) {}
};

struct Scratch {
  float *q, *tile, *scores, *rescale;
  size_t bytes;
  Scratch(const CachedSizes& z, void* memory) {
    ScratchLayout p(memory);
    q = p.take<float>(z.heads * z.key), tile = p.take<float>(token_tile * z.ld_tile);
    scores = p.take<float>(token_tile * z.heads), rescale = p.take<float>(z.heads);
    bytes = p.bytes();
  }
};

// Cached tokens as f32 rows.
struct CachedTile {
  const float* rows;
  int64_t ld, tokens;
};

// The next tile of slice g of the tokens t .. end - 1 of sequence b: in place where the page's layout allows
// it, else a copy. Reading whole panels of values must stay inside a row of the page.
template <class T, class Args>
CachedTile next_tile(const Args& a, const CachedSizes& z, int64_t g, int64_t b, int64_t t, int64_t end,
                     float* copy) {
  const int64_t page = a.pages.shape[1], tokens = std::min(token_tile, end - t), first = g * z.slice;
  const int32_t* table = a.block_table.template row<int32_t>(b);
  const auto cached = [&](int64_t i) {
    return a.pages.template row<T>(table[i / page] * page + i % page) + first;
  };
  if constexpr (std::is_same_v<T, float>)
    if (page >= shortest_tile && first + z.value_column + round_up(z.value, panel_width) <= a.pages.cols())
      return {cached(t), a.pages.row_stride, std::min(tokens, page - t % page)};
  for (int64_t i = 0; i < tokens; ++i) scale_row(cached(t + i), copy + i * z.ld_tile, z.slice, 1);
  return {copy, z.ld_tile, tokens};
}

// Online softmax: scores [tokens, heads] become 2^(score - max) for all heads at once, and max and sum are
// updated.
inline void softmax_tile(const CachedSizes& z, const SplitResult& split, const Scratch& w, int64_t tokens) {
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
    if (w.rescale[h] != 1)
      scale_row(split.out + h * z.ld_out, split.out + h * z.ld_out, z.value, w.rescale[h]);
}

// The heads of slice g of query n over tokens begin..end-1 of its sequence. pack_queries(n, g, q) makes
// operand B [key, heads] of its queries.
template <class T, class Args, class PackQueries>
void attend_split(const Args& a, const CachedSizes& z, const PackQueries& pack_queries, int64_t n, int64_t g,
                  int64_t begin, int64_t end, const SplitResult& split, const Scratch& w) {
  pack_queries(n, g, w.q);
  scale_row(w.q, w.q, z.heads * z.key, static_cast<float>(a.scale) * std::numbers::log2e_v<float>);
  std::fill_n(split.out, z.H * z.ld_out, 0.0f);
  std::fill_n(split.max, z.heads, -std::numeric_limits<float>::infinity());
  std::fill_n(split.sum, z.heads, 0.0f);
  const OperandB queries{w.q, z.panel, z.key * z.panel};
  int64_t tokens;
  for (int64_t t = begin; t < end; t += tokens) {
    const CachedTile tile = next_tile<T>(a, z, g, a.sequence.template as<int32_t>()[n], t, end, w.tile);
    tokens = tile.tokens;
    const OperandA<false> rows{tile.rows, tile.ld};
    const auto whole_key = [&](int64_t, int64_t, int64_t) { return Range{0, z.key}; };
    if (z.panel == lanes)
      block_gemm<1>(tokens, z.heads / z.panel, rows, queries, w.scores, z.heads, false, whole_key);
    else
      block_gemm(tokens, z.heads / z.panel, rows, queries, w.scores, z.heads, false, whole_key);
    softmax_tile(z, split, w, tokens);
    block_gemm(z.H, round_up(z.value, panel_width) / panel_width, OperandA<true>{w.scores, z.heads},
               OperandB{tile.rows + z.value_column, tile.ld, panel_width}, split.out, z.ld_out, true,
               [&](int64_t, int64_t, int64_t) {
                 return Range{0, tokens};
               });
  }
}

// out = the outputs of a head's splits, weighted by 2^(max - largest max), divided by the sum over all.
template <class T>
void combine_splits(const CachedSizes& z, int64_t h, int64_t splits, float* memory, T* out_row) {
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
      scale_row(from, out, z.value, weight);
    else
      for (int64_t c = 0; c < z.value; c += lanes)
        hn::StoreU(hn::MulAdd(hn::Set(d, weight), hn::LoadU(d, from + c), hn::LoadU(d, out + c)), d, out + c);
  }
  scale_row(out, out_row, z.value, 1 / sum);
}

// Queries first..first+queries-1, each slice of each in `slots` splits at most.
template <class T, class Args, class PackQueries>
void attend_queries(const Device& device, const Args& a, const CachedSizes& z,
                    const PackQueries& pack_queries, int64_t first, int64_t queries, int64_t slots,
                    float* memory) {
  const int32_t* positions = a.positions.template as<int32_t>();
  const size_t bytes = Scratch(z, nullptr).bytes;
  parallel_tasks(device.threads(), queries * z.G * slots, [&](int thread, int64_t task) {
    const int64_t n = first + task / slots / z.G, g = task / slots % z.G, i = task % slots,
                  tokens = positions[n] + 1, splits = splits_of(tokens);
    if (i >= splits) return;
    attend_split<T>(a, z, pack_queries, n, g, tokens * i / splits, tokens * (i + 1) / splits,
                    SplitResult(z, memory + task * z.split), Scratch(z, device.scratch(thread, bytes)));
  });
  parallel_tasks(device.threads(), queries * z.G * z.H, [&](int, int64_t task) {
    const int64_t slice = task / z.H, n = first + slice / z.G;
    combine_splits<T>(z, task % z.H, splits_of(positions[n] + 1), memory + slice * slots * z.split,
                      a.out.template row<T>(first * z.G * z.H + task));
  });
}

// The whole op. pack_queries is called with the element type first.
template <class Args, class PackQueries>
void attend_cached(Device& device, const char* op, const Args& a, const CachedSizes& z,
                   const PackQueries& pack_queries) {
  const int64_t N = a.out.shape[0];
  int64_t slots = 0;
  for (int64_t n = 0; n < N; ++n)
    slots = std::max(slots, splits_of(a.positions.template as<int32_t>()[n] + 1));
  float* memory = static_cast<float*>(
      device.shared_scratch(std::min(N, query_batch) * z.G * slots * z.split * sizeof(float)));
  with_dtype<float, bf16>(op, a.out.dtype, [&]<class T>(T type) {
    const auto pack = [&](int64_t n, int64_t g, float* q) { pack_queries(type, n, g, q); };
    for (int64_t n = 0; n < N; n += query_batch)
      attend_queries<T>(device, a, z, pack, n, std::min(query_batch, N - n), slots, memory);
  });
}

}  // namespace fathom::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
