// What the attention kernels on the tensor cores do with scores and sums in registers, whichever instruction
// made them. Of its warp's sixteen rows a lane has number lane / 4 (`row` below) and the one eight further;
// of every eight columns, 2 (lane % 4) and the next.
#pragma once
#include "ops/cuda/attention/attention_backward.cuh"
#include "ops/cuda/attention/attention_forward.cuh"
#include "ops/cuda/attention/attention_tile.cuh"
#include "ops/cuda/matmul/mma.cuh"

namespace fathom::cuda {

using MmaInputs = AttentionInputs<Bf16>;
using MmaGradients = AttentionGradients<Bf16>;

// Whether the inputs are bf16 in rows that can be copied 16 bytes at a time.
template <class Args>
bool inputs_fit(const Args& a) {
  return a.q.dtype == DType::bf16 && a.k_rope.cols() % 8 == 0 && rows_at_16_bytes(a.q) &&
         rows_at_16_bytes(a.kv) && rows_at_16_bytes(a.k_rope);
}

// Rows that are read 16 bytes and written 4 bytes at a time.
inline bool gradients_fit(const AttentionBackward& a) {
  const auto in_pairs = [](const Tensor& t) {
    return reinterpret_cast<uintptr_t>(t.data) % 4 == 0 && t.row_stride % 2 == 0;
  };
  return rows_at_16_bytes(a.dout) && in_pairs(a.dq) && in_pairs(a.dkv);
}

// Blocks with the most keys to see come first.
__device__ inline int64_t last_first() {
  return gridDim.x - 1 - blockIdx.x;
}

__device__ inline int column_of(int n, int i, int lane) {
  return n * 8 + lane % 4 * 2 + i % 2;
}

// The running softmax of a lane's two rows, in powers of two.
struct Softmax {
  float max[2] = {-INFINITY, -INFINITY}, sum[2] = {};

  // Scores become 2^(scale score - max). Sums over earlier weights must be multiplied by what it returns.
  template <int tiles>
  __device__ float2 take(float (&scores)[tiles][4], float scale) {
    float shrink[2];
#pragma unroll
    for (int row = 0; row < 2; ++row) {
      float largest = max[row];
#pragma unroll
      for (int n = 0; n < tiles; ++n)
#pragma unroll
        for (int i = 2 * row; i < 2 * row + 2; ++i) largest = fmaxf(largest, scores[n][i] *= scale);
      for (int offset = 1; offset < 4; offset *= 2)
        largest = fmaxf(largest, __shfl_xor_sync(~0u, largest, offset));
      const float base = largest == -INFINITY ? 0 : largest;
      shrink[row] = power_of_2(max[row] - base);
      sum[row] *= shrink[row];
#pragma unroll
      for (int n = 0; n < tiles; ++n)
#pragma unroll
        for (int i = 2 * row; i < 2 * row + 2; ++i)
          sum[row] += scores[n][i] = power_of_2(scores[n][i] - base);
      max[row] = largest;
    }
    return make_float2(shrink[0], shrink[1]);
  }
  // The whole sum of a row: lanes hold parts of it.
  __device__ float total(int row) const {
    float x = sum[row];
    for (int offset = 1; offset < 4; offset *= 2) x += __shfl_xor_sync(~0u, x, offset);
    return x;
  }
};

template <int columns>
__device__ void shrink_rows(float (&out)[columns][4], float2 by) {
#pragma unroll
  for (int n = 0; n < columns; ++n)
    out[n][0] *= by.x, out[n][1] *= by.x, out[n][2] *= by.y, out[n][3] *= by.y;
}

// The lane's first row sees `seen` keys of the tile, its other one eight more.
template <int tiles>
__device__ void hide_unseen(float (&scores)[tiles][4], int seen, int lane) {
#pragma unroll
  for (int n = 0; n < tiles; ++n)
#pragma unroll
    for (int i = 0; i < 4; ++i)
      if (column_of(n, i, lane) >= seen + i / 2 * 8) scores[n][i] = -INFINITY;
}

// Outputs of queries `row` and 8 further, if before `end`.
template <int columns>
__device__ void store_outputs(const AttentionOutput<Bf16>& o, const float (&out)[columns][4],
                              const Softmax& softmax, int64_t first_row, int64_t end, int h, int H,
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
    if (o.lse && lane % 4 == 0) o.lse[n * H + h] = (softmax.max[row] + log2f(sum)) * ln_2;
  }
}

// Which (row, column) pairs of a tile see each other: all of them, or those of so many first rows and columns
// where column < row + ahead (rows are queries), or row < column + ahead (rows are keys).
struct Sight {
  bool whole;
  int rows, columns, ahead;

  // Rows are counted from the lane's first.
  __device__ bool query_sees(int row, int column) const {
    return row < rows && column < columns && column < row + ahead;
  }
  __device__ bool seen_by_query(int row, int column) const {
    return row < rows && column < columns && row < column + ahead;
  }
};

// The values of a lane's two columns of eight.
__device__ inline float2 two_columns(const float* columns, int n, int lane) {
  return *reinterpret_cast<const float2*>(columns + column_of(n, 0, lane));
}

// Keys by queries: scores become weights, lse in powers of two.
template <int tiles>
__device__ void weigh_keys(float (&scores)[tiles][4], const Sight& sight, float scale, const float* lse,
                           int lane) {
#pragma unroll
  for (int n = 0; n < tiles; ++n) {
    const float2 base = two_columns(lse, n, lane);
#pragma unroll
    for (int i = 0; i < 4; ++i) scores[n][i] = power_of_2(scores[n][i] * scale - (i % 2 ? base.y : base.x));
  }
  if (sight.whole) return;
#pragma unroll
  for (int n = 0; n < tiles; ++n)
#pragma unroll
    for (int i = 0; i < 4; ++i)
      if (!sight.seen_by_query(i / 2 * 8, column_of(n, i, lane))) scores[n][i] = 0;
}
// dP becomes dS = scale P (dP - delta), where P is weight(n, i).
template <int tiles, class Weight>
__device__ void score_gradients_of_keys(float (&ds)[tiles][4], const Weight& weight, float scale,
                                        const float* delta, int lane) {
#pragma unroll
  for (int n = 0; n < tiles; ++n) {
    const float2 base = two_columns(delta, n, lane);
#pragma unroll
    for (int i = 0; i < 4; ++i) ds[n][i] = weight(n, i) * (ds[n][i] - (i % 2 ? base.y : base.x)) * scale;
  }
}

// The statistics of a lane's two queries.
struct QueryStatistics {
  float lse[2], delta[2];  // lse in powers of two

  __device__ QueryStatistics(const MmaGradients& g, int64_t first_row, int64_t end, int h, int H) {
    for (int row = 0; row < 2; ++row) {
      const int64_t n = first_row + row * 8;
      lse[row] = n < end ? g.lse[n * H + h] * log2_e : 0;
      delta[row] = n < end ? g.delta[n * H + h] : 0;
    }
  }
};
// Queries by keys.
template <int tiles>
__device__ void weigh_queries(float (&scores)[tiles][4], const Sight& sight, float scale,
                              const QueryStatistics& q, int lane) {
#pragma unroll
  for (int n = 0; n < tiles; ++n)
#pragma unroll
    for (int i = 0; i < 4; ++i) scores[n][i] = power_of_2(scores[n][i] * scale - q.lse[i / 2]);
  if (sight.whole) return;
#pragma unroll
  for (int n = 0; n < tiles; ++n)
#pragma unroll
    for (int i = 0; i < 4; ++i)
      if (!sight.query_sees(i / 2 * 8, column_of(n, i, lane))) scores[n][i] = 0;
}
template <int tiles>
__device__ void score_gradients_of_queries(float (&ds)[tiles][4], const float (&p)[tiles][4], float scale,
                                           const QueryStatistics& q) {
#pragma unroll
  for (int n = 0; n < tiles; ++n)
#pragma unroll
    for (int i = 0; i < 4; ++i) ds[n][i] = p[n][i] * (ds[n][i] - q.delta[i / 2]) * scale;
}

template <int k_columns, int v_columns>
__device__ void store_key_gradients(const MmaInputs& in, const MmaGradients& g,
                                    const float (&dk)[k_columns][4], const float (&dv)[v_columns][4],
                                    int64_t first_row, int64_t end, int h, int lane) {
#pragma unroll
  for (int row = 0; row < 2; ++row) {
    const int64_t key = first_row + row * 8;
    if (key >= end) continue;
    Bf16* dkv = g.dkv + (key * in.H + h) * g.dkv_stride;
    float* rope = g.rope_heads + (h * g.M + key) * in.Dr;
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
