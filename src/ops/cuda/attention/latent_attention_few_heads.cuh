// Latent attention of up to 32 heads on Hopper: what a block has in shared memory, what a warpgroup
// accumulates, and the end of a part. The kernel is in latent_attention_few_heads.cu.
#pragma once
#include "ops/cuda/attention/latent_join.cuh"

namespace fathom::cuda::few_heads {

constexpr int tile_rows = latent_tile_rows, boxes = cached_boxes;

template <int heads_>
struct Storage {
  static constexpr int heads = heads_;
  static constexpr int slots = heads == 16 ? 22 : 17;  // as many as fit
  static constexpr int query_elements = heads * swizzle_width;

  Bf16 box[slots][box_elements];
  Bf16 queries[2][boxes * query_elements];  // of this part and the next; then the merging of a part's halves
  Bf16 p[2][heads * tile_rows];             // P^T of each warpgroup
  float warp_stat[2][2][4][heads];          // reduce_rows(): two places for each warpgroup, used alternately
  float max[2][heads], sum[2][heads];
  ScheduledQueries scheduled;
  Barrier full[slots], empty[slots], queries_full[2], queries_empty[2];

  __device__ void init() {
    for (int i = 0; i < slots; ++i) full[i].init(1), empty[i].init(warpgroup_size / warp_size);
    for (int i = 0; i < 2; ++i) queries_full[i].init(1), queries_empty[i].init(consumer_threads / warp_size);
  }
};

// The ring's slot and the parity of its barriers for the i-th box since the kernel's start.
template <int slots>
struct RingPosition {
  int slot;
  unsigned parity;

  // By whole warps.
  __device__ explicit RingPosition(unsigned i)
      : slot(uniform(static_cast<int>(i % slots))), parity(i / slots % 2) {}
  __device__ void advance() {
    if (++slot == slots) slot = 0, parity ^= 1;
  }
};

// What a warpgroup has accumulated of a part. A lane holds, of every eight heads, 2 (lane % 4) and the next;
// max and sum are those of its heads, the sum only over its own rows.
template <int heads>
struct Accumulator {
  static constexpr int own = heads / 4;  // heads of a lane
  float out[latent_boxes][heads / 8][4];
  float max[own], sum[own];
  int turn = 0;  // of reduce_rows()

  __device__ void clear() {
#pragma unroll
    for (int b = 0; b < latent_boxes; ++b)
#pragma unroll
      for (int j = 0; j < heads / 8; ++j)
#pragma unroll
        for (int i = 0; i < 4; ++i) out[b][j][i] = 0;
#pragma unroll
    for (int i = 0; i < own; ++i) max[i] = -INFINITY, sum[i] = 0;
  }
  // Multiplies the outputs of each head.
  __device__ void scale(const float (&factor)[own]) {
#pragma unroll
    for (int b = 0; b < latent_boxes; ++b)
#pragma unroll
      for (int j = 0; j < heads / 8; ++j)
#pragma unroll
        for (int i = 0; i < 4; ++i) out[b][j][i] *= factor[2 * j + i % 2];
  }
};

// The lane's i-th head.
__device__ inline int head_of(int i, int lane) {
  return i / 2 * 8 + lane % 4 * 2 + i % 2;
}

// Reduces a value per own head over the lanes and warps of a warpgroup that hold other rows. Calls use two
// places alternately, so that none overwrites what a slower warp still reads: it is at most one call behind.
template <int heads, class Op>
__device__ void reduce_rows(Storage<heads>& m, int warpgroup, int& turn, float (&x)[heads / 4],
                            const Op& op) {
  const int lane = threadIdx.x % warp_size, warp = threadIdx.x / warp_size % 4;
  auto& stat = m.warp_stat[warpgroup][turn];
  turn ^= 1;
#pragma unroll
  for (int i = 0; i < heads / 4; ++i)
    for (int offset = 4; offset < warp_size; offset *= 2) x[i] = op(x[i], __shfl_xor_sync(~0u, x[i], offset));
  if (lane < 4)
    for (int i = 0; i < heads / 4; ++i) stat[warp][head_of(i, lane)] = x[i];
  warpgroup_sync(warpgroup);
#pragma unroll
  for (int i = 0; i < heads / 4; ++i) {
    const int h = head_of(i, lane);
    x[i] = stat[0][h];
    for (int w = 1; w < 4; ++w) x[i] = op(x[i], stat[w][h]);
  }
}

// Joins the two warpgroups' halves of a part: afterwards warpgroup w holds boxes 4 w .. 4 w + 3 of the whole
// part's output, and every lane its heads' maximum and sum. The part's queries are overwritten.
template <int heads>
__device__ void merge_warpgroups(Storage<heads>& m, Accumulator<heads>& acc, int buffer) {
  constexpr int half = latent_boxes / 2, own = heads / 4;
  const int lane = threadIdx.x % warp_size, warpgroup = warpgroup_index(),
            thread = threadIdx.x % warpgroup_size;
  auto* exchange = reinterpret_cast<float4*>(m.queries[buffer]);
  static_assert(half * heads / 8 * warpgroup_size * sizeof(float4) <= sizeof m.queries[0]);

  reduce_rows(m, warpgroup, acc.turn, acc.sum, Add());
  if (thread < 4)
    for (int i = 0; i < own; ++i) {
      m.max[warpgroup][head_of(i, lane)] = acc.max[i];
      m.sum[warpgroup][head_of(i, lane)] = acc.sum[i];
    }
  consumer_sync();
  float factor[own];
#pragma unroll
  for (int i = 0; i < own; ++i) {
    const int h = head_of(i, lane);
    const float max = fmaxf(m.max[0][h], m.max[1][h]);
    acc.sum[i] = m.sum[0][h] * exp2_shifted(m.max[0][h], max) + m.sum[1][h] * exp2_shifted(m.max[1][h], max);
    factor[i] = exp2_shifted(acc.max[i], max);
    acc.max[i] = max;
  }
  acc.scale(factor);
#pragma unroll
  for (int keeper = 0; keeper < 2; ++keeper) {
    if (warpgroup != keeper)
#pragma unroll
      for (int b = 0; b < half; ++b)
#pragma unroll
        for (int j = 0; j < heads / 8; ++j) {
          const float(&x)[4] = acc.out[keeper * half + b][j];
          exchange[(b * heads / 8 + j) * warpgroup_size + thread] = make_float4(x[0], x[1], x[2], x[3]);
        }
    consumer_sync();
    if (warpgroup == keeper)
#pragma unroll
      for (int b = 0; b < half; ++b)
#pragma unroll
        for (int j = 0; j < heads / 8; ++j) {
          float(&x)[4] = acc.out[keeper * half + b][j];
          const float4 other = exchange[(b * heads / 8 + j) * warpgroup_size + thread];
          x[0] += other.x, x[1] += other.y, x[2] += other.z, x[3] += other.w;
        }
    consumer_sync();
  }
}

// Where four of the accumulators belong: number `four` counts boxes, then eights of heads, then threads. x
// and y are a head and the next; z and w the same 8 latents further.
template <int heads>
struct Layout {
  static constexpr int head_step = 1;
  int latent, head;

  __device__ explicit Layout(int four)
      : Layout(four / warpgroup_size / (heads / 8), four / warpgroup_size % (heads / 8),
               four % warpgroup_size) {}
  __device__ Layout(int box, int eight, int thread)
      : latent(box * swizzle_width + thread / warp_size * 16 + thread % warp_size / 4),
        head(eight * 8 + thread % 4 * 2) {}
  __device__ static float4 spread(float even, float odd) { return make_float4(even, odd, even, odd); }
  __device__ void store(const LatentParameters& p, int query, int first_head, float4 x) const {
    const int h = first_head + head;
    Bf16* to = p.output(query, h) + latent;
    if (h < p.H) to[0] = from_float<Bf16>(x.x), to[8] = from_float<Bf16>(x.z);
    to += p.out_stride;
    if (h + 1 < p.H) to[0] = from_float<Bf16>(x.y), to[8] = from_float<Bf16>(x.w);
  }
};

// Writes a part: the output, when it is all of its query, else a result for the joining. `owner` is the
// warpgroup that holds all of it, or -1 when each holds its half.
template <int heads>
__device__ void store_part(const Accumulator<heads>& acc, int owner, const LatentPart& part,
                           const LatentParameters& p, int first_head,
                           LatentPartResult<heads, latent_width>* result) {
  constexpr int half = latent_boxes / 2;
  const int lane = threadIdx.x % warp_size, warpgroup = warpgroup_index(),
            thread = threadIdx.x % warpgroup_size;
  const auto for_each_four = [&](const auto& body) {
#pragma unroll
    for (int b = 0; b < latent_boxes; ++b) {
      if (warpgroup != (owner < 0 ? b / half : owner)) continue;
#pragma unroll
      for (int j = 0; j < heads / 8; ++j) body(b, j, acc.out[b][j]);
    }
  };
  if (part.count > 1)
    for_each_four([&](int b, int j, const float(&x)[4]) {
      result->out[(b * heads / 8 + j) * warpgroup_size + thread] = make_float4(x[0], x[1], x[2], x[3]);
    });
  else
    for_each_four([&](int b, int j, const float(&x)[4]) {
      const float even = inverse_sum(acc.sum[2 * j]), odd = inverse_sum(acc.sum[2 * j + 1]);
      Layout<heads>(b, j, thread)
          .store(p, part.query, first_head, make_float4(x[0] * even, x[1] * odd, x[2] * even, x[3] * odd));
    });
  if (part.count > 1 && warpgroup == max(owner, 0) && thread < 4)
    for (int i = 0; i < heads / 4; ++i)
      result->max[head_of(i, lane)] = acc.max[i], result->sum[head_of(i, lane)] = acc.sum[i];
}

}  // namespace fathom::cuda::few_heads
