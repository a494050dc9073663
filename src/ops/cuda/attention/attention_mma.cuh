// FlashAttention-2 (Dao 2023) with mma.sync, for bf16 heads of the sizes of fast_paths.h: scores stay
// in registers, online softmax in base 2 over tiles of keys.
#pragma once
#include "ops/cuda/attention/attention_fragments.cuh"

namespace fathom::cuda {

constexpr int mma_threads = 128, mma_rows = 64;  // of a block: four warps of 16 rows

template <int dk, int dv>
struct HeadDim {
  static constexpr int Dk = dk, Dv = dv;
};

// Calls body(HeadDim) and returns true for head sizes with an instantiation and rows aligned to 16 bytes.
template <class Args, class Body>
bool with_head_dim(const Args& a, const Body& body) {
  if (!inputs_aligned(a) || !has_mma_heads(a.q.cols(), a.out.cols(), shared_key_columns(a))) return false;
  [&]<size_t... i>(std::index_sequence<i...>) {
    const auto take = [&](auto dims) {
      if (a.q.cols() == dims.Dk && a.out.cols() == dims.Dv) body(dims);
    };
    (take(HeadDim<mma_heads[i].qk, mma_heads[i].v>()), ...);
  }
  (std::make_index_sequence<mma_heads.size()>());
  return true;
}

template <int rows, int Dk>
__device__ void load_queries(const SmemTile<Dk>& tile, const MmaInputs& in, int64_t first, int64_t valid,
                             int h) {
  cp_async_rows<rows>(tile, valid, [&](int r, int c) { return in.query(first + r, h) + c; });
}
template <int rows, int Dk>
__device__ void load_keys(const SmemTile<Dk>& tile, const MmaInputs& in, int64_t first, int64_t valid,
                          int kv_head) {
  cp_async_rows<rows>(tile, valid, [&](int r, int c) {
    return c < in.Dn ? in.key_value(first + r, kv_head) + c
                     : in.k_rope + (first + r) * in.rope_stride + c - in.Dn;
  });
}
template <int rows, int Dv>
__device__ void load_values(const SmemTile<Dv>& tile, const MmaInputs& in, int64_t first, int64_t valid,
                            int kv_head) {
  cp_async_rows<rows>(tile, valid,
                      [&](int r, int c) { return in.key_value(first + r, kv_head) + in.Dn + c; });
}

// c += a b^T for rows `row` .. `row` + 15 of a and the first `columns` rows of b.
template <int columns, int depth>
__device__ void mma_abt(float (&c)[columns / 8][4], const SmemTile<depth>& a, int row,
                        const SmemTile<depth>& b, int lane) {
#pragma unroll
  for (int k = 0; k < depth; k += 16) {
    const Fragment left = a.a_fragment(row, k, lane);
#pragma unroll
    for (int n = 0; n < columns; n += 16) {
      const Fragment right = b.b_fragments(n, k, lane);
      mma_m16n8k16(c[n / 8], left, right.r[0], right.r[1]);
      mma_m16n8k16(c[n / 8 + 1], left, right.r[2], right.r[3]);
    }
  }
}

// c += p b, where p is an accumulator of 16 x depth and b has `depth` rows.
template <int depth, int width>
__device__ void mma_ab(float (&c)[width / 8][4], const float (&p)[depth / 8][4], const SmemTile<width>& b,
                       int lane) {
#pragma unroll
  for (int k = 0; k < depth; k += 16) {
    const Fragment left = as_a_fragment(p[k / 8], p[k / 8 + 1]);
#pragma unroll
    for (int n = 0; n < width; n += 16) {
      const Fragment right = b.b_fragments_trans(k, n, lane);
      mma_m16n8k16(c[n / 8], left, right.r[0], right.r[1]);
      mma_m16n8k16(c[n / 8 + 1], left, right.r[2], right.r[3]);
    }
  }
}

}  // namespace fathom::cuda
