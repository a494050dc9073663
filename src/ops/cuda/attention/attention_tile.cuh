// What the plain attention kernels share: which rows of which sequence a block works on, and tiles in shared
// memory as f32. They take any sizes up to most_columns and both dtypes, in true f32.
#pragma once
#include "ops/cuda/grouped_tile.cuh"

namespace fathom::cuda {

constexpr int attention_threads = 128, attention_warps = attention_threads / warp_size;
constexpr int query_tile = 16, key_tile = 32;
constexpr int most_columns = 256, per_lane = most_columns / warp_size;  // of a head's key or value

// Both directions' inputs. A key is k_nope (Dn columns of kv) then k_rope (Dr columns, shared by the heads).
template <class T>
struct AttentionInputs {
  const T *q, *kv, *k_rope;
  int64_t q_stride, kv_stride, rope_stride;  // of a (token, head) row, a (token, head) row, a token
  const int32_t *q_starts, *kv_starts;
  int B, H, Dn, Dr, Dv;
  float scale;

  __device__ int Dk() const { return Dn + Dr; }
  __device__ const T* query(int64_t n, int h) const { return q + (n * H + h) * q_stride; }
  __device__ const T* key_value(int64_t m, int h) const { return kv + (m * H + h) * kv_stride; }
};

template <class T, class Args>
AttentionInputs<gpu_t<T>> attention_inputs(const Args& a) {
  const int Dr = static_cast<int>(a.k_rope.cols()), Dv = static_cast<int>(a.out.cols());
  const int Dn = static_cast<int>(a.q.cols()) - Dr;
  check(a.q.cols() <= most_columns && Dv <= most_columns,
        "attention: heads of {} and {} columns are wider than this backend's {}", a.q.cols(), Dv,
        most_columns);
  return {.q = data<T>(a.q),
          .kv = data<T>(a.kv),
          .k_rope = data<T>(a.k_rope),
          .q_stride = a.q.row_stride,
          .kv_stride = a.kv.row_stride,
          .rope_stride = a.k_rope.row_stride,
          .q_starts = data<int32_t>(a.q_starts),
          .kv_starts = data<int32_t>(a.kv_starts),
          .B = static_cast<int>(a.q_starts.cols() - 1),
          .H = static_cast<int>(a.q.shape[1]),
          .Dn = Dn,
          .Dr = Dr,
          .Dv = Dv,
          .scale = static_cast<float>(a.scale)};
}

// A sequence's bounds. Its query i (counted from its first) sees keys 0 .. i + ahead.
struct SequenceBounds {
  int64_t queries, queries_end, keys, keys_end;

  template <class T>
  __device__ SequenceBounds(const AttentionInputs<T>& in, int b)
      : queries(in.q_starts[b]),
        queries_end(in.q_starts[b + 1]),
        keys(in.kv_starts[b]),
        keys_end(in.kv_starts[b + 1]) {}
  __device__ int64_t ahead() const { return (keys_end - keys) - (queries_end - queries); }
  // One past the last key that query n sees.
  __device__ int64_t seen(int64_t n) const { return keys + (n - queries) + ahead() + 1; }
};

// tile[i, c] for `rows` rows of which `valid` exist, zero past them; a row is width + 1 floats apart, which
// keeps lanes that read down a column in banks of their own. element(i, c) reads one.
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
__device__ void fill_keys(float* tile, const AttentionInputs<T>& in, int64_t first, int64_t valid, int h) {
  fill_tile(tile, key_tile, in.Dk(), valid, [&](int row, int c) {
    return c < in.Dn ? to_float(in.key_value(first + row, h)[c])
                     : to_float(in.k_rope[(first + row) * in.rope_stride + c - in.Dn]);
  });
}
template <class T>
__device__ void fill_values(float* tile, const AttentionInputs<T>& in, int64_t first, int64_t valid, int h) {
  fill_tile(tile, key_tile, in.Dv, valid,
            [&](int row, int c) { return to_float(in.key_value(first + row, h)[in.Dn + c]); });
}

__device__ inline float dot(const float* x, const float* y, int n) {
  float sum = 0;
  for (int i = 0; i < n; ++i) sum += x[i] * y[i];
  return sum;
}

}  // namespace fathom::cuda
