// Attention on the tensor cores: bf16 heads of the sizes listed in with_head_size, in the manner of
// FlashAttention-2 (Dao 2023): scores live in registers, softmax is taken in powers of two over tiles of
// keys.
#pragma once
#include "ops/cuda/attention/attention_fragments.cuh"

namespace fathom::cuda {

constexpr int mma_threads = 128, mma_rows = 64;  // a block's rows: 16 for each of four warps

template <int dk, int dv>
struct HeadSize {
  static constexpr int Dk = dk, Dv = dv;
};

// Calls body(HeadSize) when the heads are of a size that is built for, and rows can be copied 16 bytes at a
// time.
template <class Args, class Body>
bool with_head_size(const Args& a, const Body& body) {
  const int64_t Dk = a.q.cols(), Dv = a.out.cols();
  if (!inputs_fit(a)) return false;
  if (Dk == 192 && Dv == 128) return body(HeadSize<192, 128>()), true;
  if (Dk == 96 && Dv == 64) return body(HeadSize<96, 64>()), true;
  if (Dk == 48 && Dv == 32) return body(HeadSize<48, 32>()), true;
  return false;
}

template <int rows, int Dk>
__device__ void copy_queries(const Tile<Dk>& tile, const MmaInputs& in, int64_t first, int64_t valid, int h) {
  copy_rows<rows>(tile, valid, [&](int r, int c) { return in.query(first + r, h) + c; });
}
template <int rows, int Dk>
__device__ void copy_keys(const Tile<Dk>& tile, const MmaInputs& in, int64_t first, int64_t valid, int h) {
  copy_rows<rows>(tile, valid, [&](int r, int c) {
    return c < in.Dn ? in.key_value(first + r, h) + c : in.k_rope + (first + r) * in.rope_stride + c - in.Dn;
  });
}
template <int rows, int Dv>
__device__ void copy_values(const Tile<Dv>& tile, const MmaInputs& in, int64_t first, int64_t valid, int h) {
  copy_rows<rows>(tile, valid, [&](int r, int c) { return in.key_value(first + r, h) + in.Dn + c; });
}

// c[n / 8] += rows `row` .. `row` + 15 of a times the rows of b, `columns` of them, as columns.
template <int columns, int depth>
__device__ void times_rows(float (&c)[columns / 8][4], const Tile<depth>& a, int row, const Tile<depth>& b,
                           int lane) {
#pragma unroll
  for (int k = 0; k < depth; k += 16) {
    const Fragment4 left = a.left(row, k, lane);
#pragma unroll
    for (int n = 0; n < columns; n += 16) {
      const Fragment4 right = b.right_of_rows(n, k, lane);
      multiply(c[n / 8], left, right.r[0], right.r[1]);
      multiply(c[n / 8 + 1], left, right.r[2], right.r[3]);
    }
  }
}

// c += p b, where p is a result of 16 x depth and b has `depth` rows.
template <int depth, int width>
__device__ void times_columns(float (&c)[width / 8][4], const float (&p)[depth / 8][4], const Tile<width>& b,
                              int lane) {
#pragma unroll
  for (int k = 0; k < depth; k += 16) {
    const Fragment4 left = as_left(p[k / 8], p[k / 8 + 1]);
#pragma unroll
    for (int n = 0; n < width; n += 16) {
      const Fragment4 right = b.right_of_columns(k, n, lane);
      multiply(c[n / 8], left, right.r[0], right.r[1]);
      multiply(c[n / 8 + 1], left, right.r[2], right.r[3]);
    }
  }
}

}  // namespace fathom::cuda
