// Attention without tensor cores: tiles in shared memory as f32, any head size up to max_head_dim, both
// dtypes.
#pragma once
#include "ops/cuda/attention/attention_inputs.cuh"

namespace fathom::cuda {

constexpr int attention_threads = 128, attention_warps = attention_threads / warp_size;
constexpr int query_tile = 16, key_tile = 32;
constexpr int per_lane = max_head_dim / warp_size;  // columns of a head

// tile[i, c] = element(i, c) for `rows` rows, zero from row `valid` on. Rows are width + 1 floats apart:
// lanes that read down a column have no bank conflicts.
template <class Element>
__device__ void fill_tile(float* tile, int rows, int width, int64_t valid, const Element& element) {
  for (int i = threadIdx.x; i < rows * width; i += attention_threads) {
    const int row = i / width, c = i % width;
    tile[row * (width + 1) + c] = row < valid ? element(row, c) : 0;
  }
}

template <class T>
__device__ void fill_queries(float* tile, const AttentionInputs<T>& in, int64_t first, int64_t valid, int h) {
  fill_tile(tile, query_tile, in.Dk(), valid,
            [&](int row, int c) { return to_float(in.query(first + row, h)[c]); });
}
template <class T>
__device__ void fill_keys(float* tile, const AttentionInputs<T>& in, int64_t first, int64_t valid,
                          int kv_head) {
  fill_tile(tile, key_tile, in.Dk(), valid, [&](int row, int c) {
    return c < in.Dn ? to_float(in.key_value(first + row, kv_head)[c])
                     : to_float(in.k_rope[(first + row) * in.rope_stride + c - in.Dn]);
  });
}
template <class T>
__device__ void fill_values(float* tile, const AttentionInputs<T>& in, int64_t first, int64_t valid,
                            int kv_head) {
  fill_tile(tile, key_tile, in.Dv, valid,
            [&](int row, int c) { return to_float(in.key_value(first + row, kv_head)[in.Dn + c]); });
}

__device__ inline float dot(const float* x, const float* y, int n) {
  float sum = 0;
  for (int i = 0; i < n; ++i) sum += x[i] * y[i];
  return sum;
}

}  // namespace fathom::cuda
