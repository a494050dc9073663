// What the tensor core attention kernels (mma.sync and wgmma) do with accumulators: online softmax, causal
// mask, score gradients, stores. Of its warp's sixteen rows a lane holds row lane / 4 (`row` below) and the
// one eight further; of every eight columns, 2 (lane % 4) and the next.
#pragma once
#include "ops/cuda/attention/attention_backward.cuh"
#include "ops/cuda/attention/attention_forward.cuh"
#include "ops/cuda/attention/attention_inputs.cuh"
#include "ops/cuda/attention/online_softmax.cuh"

namespace fathom::cuda {

using MmaInputs = AttentionInputs<Bf16>;
using MmaGradients = AttentionGradients<Bf16>;

// Whether the inputs are bf16 with rows aligned to 16 bytes, as cp.async and TMA need.
template <class Args>
bool inputs_aligned(const Args& a) {
  return a.q.dtype == DType::bf16 && vectorizable_width(shared_key_columns(a)) &&
         rows_aligned_to_16_bytes(a.q) && rows_aligned_to_16_bytes(a.kv) &&
         rows_aligned_to_16_bytes(a.k_rope);
}

// dout is loaded 16 bytes at a time, dq and dkv are stored 4 bytes at a time.
inline bool gradients_aligned(const AttentionBackward& a) {
  const auto aligned_to_4_bytes = [](const Tensor& t) {
    return reinterpret_cast<uintptr_t>(t.data) % 4 == 0 && t.row_stride % 2 == 0;
  };
  return rows_aligned_to_16_bytes(a.dout) && aligned_to_4_bytes(a.dq) && aligned_to_4_bytes(a.dkv);
}

// Tile index of this block: with the causal mask the last tiles have the most keys, so they start first.
__device__ inline int64_t longest_tile_first() {
  return gridDim.x - 1 - blockIdx.x;
}

__device__ inline int column_of(int n, int i, int lane) {
  return n * 8 + lane % 4 * 2 + i % 2;
}

// The softmax of a lane's two rows.
struct SoftmaxRows {
  OnlineSoftmax rows[2];

  // Scores become 2^(scale * score - max), scale > 0. Returns the factors that rescale the rows' accumulated
  // outputs.
  template <int tiles>
  __device__ float2 update(float (&scores)[tiles][4], float scale) {
    float factor[2];
#pragma unroll
    for (int row = 0; row < 2; ++row) {
      float largest = scores[0][2 * row];
#pragma unroll
      for (int n = 0; n < tiles; ++n)
#pragma unroll
        for (int i = 2 * row; i < 2 * row + 2; ++i) largest = fmaxf(largest, scores[n][i]);
      for (int offset = 1; offset < 4; offset *= 2)
        largest = fmaxf(largest, __shfl_xor_sync(~0u, largest, offset));
      factor[row] = rows[row].raise_max(fmaxf(rows[row].max, largest * scale));
      const float shift = rows[row].shift();
#pragma unroll
      for (int n = 0; n < tiles; ++n)
#pragma unroll
        for (int i = 2 * row; i < 2 * row + 2; ++i)
          rows[row].sum += scores[n][i] = exp2_approx(fmaf(scores[n][i], scale, -shift));
    }
    return make_float2(factor[0], factor[1]);
  }
  // The sum of a row over the lanes that share it.
  __device__ float total(int row) const {
    float x = rows[row].sum;
    for (int offset = 1; offset < 4; offset *= 2) x += __shfl_xor_sync(~0u, x, offset);
    return x;
  }
};

template <int columns>
__device__ void rescale_rows(float (&out)[columns][4], float2 factor) {
#pragma unroll
  for (int n = 0; n < columns; ++n)
    out[n][0] *= factor.x, out[n][1] *= factor.x, out[n][2] *= factor.y, out[n][3] *= factor.y;
}

// Scores of queries by keys: the lane's first row sees the first `visible` keys of the tile, its other row
// eight more if causal.
template <bool causal, int tiles>
__device__ void apply_mask(float (&scores)[tiles][4], int visible, int lane) {
  const int from_lane = visible - column_of(0, 0, lane);  // so that what is compared with it is constant
#pragma unroll
  for (int n = 0; n < tiles; ++n)
#pragma unroll
    for (int i = 0; i < 4; ++i)
      if (n * 8 + i % 2 - (causal ? i / 2 * 8 : 0) >= from_lane) scores[n][i] = -INFINITY;
}

// Scores of keys by queries: queries from column `first` on see the lane's first key, from eight further on
// its other key.
template <int tiles>
__device__ void apply_mask_kq(float (&scores)[tiles][4], int first, int lane) {
  const int from_lane = first - column_of(0, 0, lane);
#pragma unroll
  for (int n = 0; n < tiles; ++n)
#pragma unroll
    for (int i = 0; i < 4; ++i)
      if (n * 8 + i % 2 - i / 2 * 8 < from_lane) scores[n][i] = -INFINITY;
}

// Outputs of queries `row` and 8 further, if before `end`.
template <int columns>
__device__ void store_outputs(const AttentionOutput<Bf16>& o, const float (&out)[columns][4],
                              const SoftmaxRows& softmax, int64_t first_row, int64_t end, int h, int H,
                              int lane) {
#pragma unroll
  for (int row = 0; row < 2; ++row) {
    const int64_t n = first_row + row * 8;
    const float sum = softmax.total(row), inverse = 1 / sum;
    if (n >= end) continue;
    Bf16* to = o.out + (n * H + h) * o.out_stride + lane % 4 * 2;
#pragma unroll
    for (int c = 0; c < columns; ++c)
      store_pair(to + c * 8, make_float2(out[c][2 * row] * inverse, out[c][2 * row + 1] * inverse));
    if (o.lse && lane % 4 == 0) o.lse[n * H + h] = (softmax.rows[row].max + log2f(sum)) * ln_2;
  }
}

// The values of a lane's two columns in column group n of 8.
__device__ inline float2 load_column_pair(const float* columns, int n, int lane) {
  return *reinterpret_cast<const float2*>(columns + column_of(n, 0, lane));
}

// The backward pass recomputes P = exp(S - lse), with lse in base 2. kq: rows are keys, columns queries. Rows
// after the end of a sequence count as zeros with lse and delta 0, which add nothing, or are not stored.
template <int tiles>
__device__ void probabilities_kq(float (&scores)[tiles][4], float scale, const float* lse, int lane) {
#pragma unroll
  for (int n = 0; n < tiles; ++n) {
    const float2 base = load_column_pair(lse, n, lane);
#pragma unroll
    for (int i = 0; i < 4; ++i)
      scores[n][i] = exp2_approx(fmaf(scores[n][i], scale, -(i % 2 ? base.y : base.x)));
  }
}
// dP becomes dS = scale * P * (dP - delta), where P is p(n, i).
template <int tiles, class Probability>
__device__ void score_gradients_kq(float (&ds)[tiles][4], const Probability& p, float scale,
                                   const float* delta, int lane) {
#pragma unroll
  for (int n = 0; n < tiles; ++n) {
    const float2 base = load_column_pair(delta, n, lane);
#pragma unroll
    for (int i = 0; i < 4; ++i) ds[n][i] = p(n, i) * (ds[n][i] - (i % 2 ? base.y : base.x)) * scale;
  }
}

// The statistics of a lane's two queries.
struct QueryStatistics {
  float lse[2], delta[2];  // lse in base 2

  __device__ QueryStatistics(const MmaGradients& g, int64_t first_row, int64_t end, int h, int H) {
    for (int row = 0; row < 2; ++row) {
      const int64_t n = first_row + row * 8;
      lse[row] = n < end ? g.lse[n * H + h] * log2_e : 0;
      delta[row] = n < end ? g.delta[n * H + h] : 0;
    }
  }
};
// qk: rows are queries, columns keys.
template <int tiles>
__device__ void probabilities_qk(float (&scores)[tiles][4], float scale, const QueryStatistics& q) {
#pragma unroll
  for (int n = 0; n < tiles; ++n)
#pragma unroll
    for (int i = 0; i < 4; ++i) scores[n][i] = exp2_approx(fmaf(scores[n][i], scale, -q.lse[i / 2]));
}
template <int tiles>
__device__ void score_gradients_qk(float (&ds)[tiles][4], const float (&p)[tiles][4], float scale,
                                   const QueryStatistics& q) {
#pragma unroll
  for (int n = 0; n < tiles; ++n)
#pragma unroll
    for (int i = 0; i < 4; ++i) ds[n][i] = p[n][i] * (ds[n][i] - q.delta[i / 2]) * scale;
}

template <int k_columns, int v_columns>
__device__ void store_key_gradients(const MmaInputs& in, const MmaGradients& g,
                                    const float (&dk)[k_columns][4], const float (&dv)[v_columns][4],
                                    int64_t first_row, int64_t end, int kv_head, int lane) {
#pragma unroll
  for (int row = 0; row < 2; ++row) {
    const int64_t key = first_row + row * 8;
    if (key >= end) continue;
    Bf16* dkv = g.dkv + (key * in.G + kv_head) * g.dkv_stride;
    float* rope = g.rope_heads + (kv_head * g.M + key) * in.Dr;
#pragma unroll
    for (int n = 0; n < k_columns; ++n) {
      const int c = column_of(n, 0, lane);
      const float first = dk[n][2 * row], second = dk[n][2 * row + 1];
      if (c < in.Dn)
        store_pair(dkv + c, make_float2(first, second));
      else
        rope[c - in.Dn] = first, rope[c - in.Dn + 1] = second;
    }
#pragma unroll
    for (int n = 0; n < v_columns; ++n)
      store_pair(dkv + in.Dn + column_of(n, 0, lane), make_float2(dv[n][2 * row], dv[n][2 * row + 1]));
  }
}

template <int columns>
__device__ void store_query_gradients(const MmaInputs& in, const MmaGradients& g,
                                      const float (&dq)[columns][4], int64_t first_row, int64_t end, int h,
                                      int lane) {
#pragma unroll
  for (int row = 0; row < 2; ++row) {
    const int64_t n = first_row + row * 8;
    if (n >= end) continue;
    Bf16* to = g.dq + (n * in.H + h) * g.dq_stride;
#pragma unroll
    for (int c = 0; c < columns; ++c)
      store_pair(to + column_of(c, 0, lane), make_float2(dq[c][2 * row], dq[c][2 * row + 1]));
  }
}

}  // namespace fathom::cuda
