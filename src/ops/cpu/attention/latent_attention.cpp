// Decoding over the latent cache: tiles of cached rows are read once for all heads of a query, as the left
// operand of the scores and the right operand of the output. Long contexts are cut into parts that threads
// share out; the parts depend only on the context's length and are joined in order, so a result depends
// neither on the number of threads nor on the batch.
#include "ops/latent_attention.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/cpu/attention/latent_attention.cpp"
#include <hwy/foreach_target.h>
// must come after foreach_target
#include "ops/cpu/attention/block.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

HWY_BEFORE_NAMESPACE();
namespace fathom::cpu::HWY_NAMESPACE {
namespace {

constexpr int64_t token_tile = 64, shortest_tile = 16;
constexpr int64_t smallest_part = 128, most_parts = 16;  // of a context
constexpr int64_t queries_at_once = 16;                  // bounds the memory of the parts' results

int64_t parts_of(int64_t tokens) {
  return std::min(most_parts, (tokens + smallest_part - 1) / smallest_part);
}

// Few heads fill panels of one vector only.
struct Sizes {
  int64_t H, R, Dr, width = R + Dr;
  int64_t panel = H <= lanes ? lanes : panel_width, heads = round_up(H, panel);
  int64_t ld_tile = padded(width), ld_out = padded(R);
  int64_t part = heads * (ld_out + 2);  // floats of one part's result: out, then max and sum per head
};

// One part's result: not yet divided by the sum.
struct Part {
  float *out, *max, *sum;
  Part(const Sizes& z, float* memory) : out(memory), max(memory + z.heads * z.ld_out), sum(max + z.heads) {}
};

struct Scratch {
  float *q, *tile, *scores, *shrink;
  size_t bytes;
  Scratch(const Sizes& z, void* memory) {
    Pieces p(memory);
    q = p.take(z.heads * z.width), tile = p.take(token_tile * z.ld_tile);
    scores = p.take(token_tile * z.heads), shrink = p.take(z.heads);
    bytes = p.bytes();
  }
};

// Cached tokens as f32 rows.
struct Tile {
  const float* rows;
  int64_t ld, tokens;
};

// The next tile of sequence b's tokens t..end-1: the page itself where it can serve, else a copy. Reading
// whole panels of R must stay inside a row of the page.
template <class T>
Tile next_tile(const LatentAttention& a, const Sizes& z, int64_t b, int64_t t, int64_t end, float* copy) {
  const int64_t page = a.pages.shape[1], tokens = std::min(token_tile, end - t);
  const int32_t* table = a.block_table.row<int32_t>(b);
  const auto cached = [&](int64_t i) { return a.pages.row<T>(table[i / page] * page + i % page); };
  if constexpr (std::is_same_v<T, float>)
    if (page >= shortest_tile && round_up(z.R, panel_width) <= z.width)
      return {cached(t), a.pages.row_stride, std::min(tokens, page - t % page)};
  for (int64_t i = 0; i < tokens; ++i) scale_row(cached(t + i), copy + i * z.ld_tile, z.width, 1);
  return {copy, z.ld_tile, tokens};
}

// scores [tokens, heads] become 2^(score - max) for all heads at once; the running max and sum follow.
void softmax_tile(const Sizes& z, const Part& part, const Scratch& w, int64_t tokens) {
  const F32 d;
  for (int64_t h = 0; h < z.heads; h += lanes) {
    float* s = w.scores + h;
    const Vec old = hn::LoadU(d, part.max + h);
    Vec max = old;
    for (int64_t t = 0; t < tokens; ++t) max = hn::Max(max, hn::LoadU(d, s + t * z.heads));
    const Vec shrink = exp2(d, hn::Sub(old, max));
    Vec sum = hn::Mul(hn::LoadU(d, part.sum + h), shrink);
    for (int64_t t = 0; t < tokens; ++t) {
      const Vec p = exp2(d, hn::Sub(hn::LoadU(d, s + t * z.heads), max));
      sum = hn::Add(sum, p);
      hn::StoreU(p, d, s + t * z.heads);
    }
    hn::StoreU(max, d, part.max + h), hn::StoreU(sum, d, part.sum + h);
    hn::StoreU(shrink, d, w.shrink + h);
  }
  for (int64_t h = 0; h < z.H; ++h)
    if (w.shrink[h] != 1) scale_row(part.out + h * z.ld_out, part.out + h * z.ld_out, z.R, w.shrink[h]);
}

// Query n over tokens begin..end-1 of its sequence.
template <class T>
void attend_part(const LatentAttention& a, const Sizes& z, int64_t n, int64_t begin, int64_t end,
                 const Part& part, const Scratch& w) {
  pack_transposed(a.q_latent.row<T>(n * z.H), a.q_latent.row_stride, z.H, z.R, w.q, z.width * z.panel,
                  z.panel);
  pack_transposed(a.q_rope.row<T>(n * z.H), a.q_rope.row_stride, z.H, z.Dr, w.q + z.R * z.panel,
                  z.width * z.panel, z.panel);
  scale_row(w.q, w.q, z.heads * z.width, static_cast<float>(a.scale) * std::numbers::log2e_v<float>);
  std::fill_n(part.out, z.H * z.ld_out, 0.0f);
  std::fill_n(part.max, z.heads, -std::numeric_limits<float>::infinity());
  std::fill_n(part.sum, z.heads, 0.0f);
  const Right queries{w.q, z.panel, z.width * z.panel};
  int64_t tokens;
  for (int64_t t = begin; t < end; t += tokens) {
    const Tile tile = next_tile<T>(a, z, a.sequence.as<int32_t>()[n], t, end, w.tile);
    tokens = tile.tokens;
    const Left<false> rows{tile.rows, tile.ld};
    const auto whole_row = [&](int64_t, int64_t, int64_t) { return Range{0, z.width}; };
    if (z.panel == lanes)
      block_product<1>(tokens, z.heads / z.panel, rows, queries, w.scores, z.heads, false, whole_row);
    else
      block_product(tokens, z.heads / z.panel, rows, queries, w.scores, z.heads, false, whole_row);
    softmax_tile(z, part, w, tokens);
    block_product(z.H, round_up(z.R, panel_width) / panel_width, Left<true>{w.scores, z.heads},
                  Right{tile.rows, tile.ld, panel_width}, part.out, z.ld_out, true,
                  [&](int64_t, int64_t, int64_t) {
                    return Range{0, tokens};
                  });
  }
}

// out[n, h] = the parts' outputs, weighted by 2^(max - the largest max), over the sum of all.
template <class T>
void join_parts(const LatentAttention& a, const Sizes& z, int64_t n, int64_t h, int64_t parts,
                float* memory) {
  const F32 d;
  float max = -std::numeric_limits<float>::infinity(), sum = 0;
  for (int64_t i = 0; i < parts; ++i) max = std::max(max, Part(z, memory + i * z.part).max[h]);
  float* out = Part(z, memory).out + h * z.ld_out;
  for (int64_t i = 0; i < parts; ++i) {
    const Part part(z, memory + i * z.part);
    const float weight = std::exp2(part.max[h] - max);
    sum += weight * part.sum[h];
    const float* from = part.out + h * z.ld_out;
    if (i == 0)
      scale_row(from, out, z.R, weight);
    else
      for (int64_t c = 0; c < z.R; c += lanes)
        hn::StoreU(hn::MulAdd(hn::Set(d, weight), hn::LoadU(d, from + c), hn::LoadU(d, out + c)), d, out + c);
  }
  scale_row(out, a.out.row<T>(n * z.H + h), z.R, 1 / sum);
}

// Queries first..first+queries-1, each in `slots` parts at most.
template <class T>
void attend_queries(const Device& device, const LatentAttention& a, const Sizes& z, int64_t first,
                    int64_t queries, int64_t slots, float* memory) {
  const int32_t* positions = a.positions.as<int32_t>();
  const size_t bytes = Scratch(z, nullptr).bytes;
  parallel_tasks(device.threads(), queries * slots, [&](int thread, int64_t task) {
    const int64_t n = first + task / slots, i = task % slots, tokens = positions[n] + 1,
                  parts = parts_of(tokens);
    if (i >= parts) return;
    attend_part<T>(a, z, n, tokens * i / parts, tokens * (i + 1) / parts, Part(z, memory + task * z.part),
                   Scratch(z, device.scratch(thread, bytes)));
  });
  parallel_tasks(device.threads(), queries * z.H, [&](int, int64_t task) {
    const int64_t q = task / z.H;
    join_parts<T>(a, z, first + q, task % z.H, parts_of(positions[first + q] + 1),
                  memory + q * slots * z.part);
  });
}

}  // namespace

void latent_attention(Device& device, const LatentAttention& a) {
  const Sizes z{.H = a.out.shape[1], .R = a.out.cols(), .Dr = a.q_rope.cols()};
  const int64_t N = a.out.shape[0];
  const int32_t* positions = a.positions.as<int32_t>();
  int64_t slots = 0;
  for (int64_t n = 0; n < N; ++n) slots = std::max(slots, parts_of(positions[n] + 1));
  float* memory = static_cast<float*>(
      device.shared_scratch(std::min(N, queries_at_once) * slots * z.part * sizeof(float)));
  with_dtype<float, bf16>("latent_attention", a.out.dtype, [&]<class T>(T) {
    for (int64_t n = 0; n < N; n += queries_at_once)
      attend_queries<T>(device, a, z, n, std::min(queries_at_once, N - n), slots, memory);
  });
}

}  // namespace fathom::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fathom::cpu {
FATHOM_SIMD_OP(latent_attention, LatentAttention)
}  // namespace fathom::cpu
#endif
