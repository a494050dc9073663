// mma.sync of 16 x 16 by 16 x 8 bf16 matrices, ldmatrix loads of its fragments, and tiles in shared memory.
// In an accumulator lane l holds, of rows l / 4 and l / 4 + 8, columns 2 (l % 4) and the next. Source: PTX
// ISA, "Matrix Fragments for mma.m16n8k16".
#pragma once
#include <cuda_pipeline.h>

#include "ops/cuda/kernel.cuh"

namespace fathom::cuda {

using Bf16 = __nv_bfloat16;

struct Fragment {
  uint32_t r[4];
};

// c [16, 8] += a [16, 16] b [16, 8]. Of lane 4 g + t: a.r are rows g, g + 8, g, g + 8 at columns (2 t, 2 t +
// 1), the last two at columns 8 further; b0 and b1 are rows (2 t, 2 t + 1) of column g, and 8 further.
__device__ inline void mma_m16n8k16(float (&c)[4], const Fragment& a, uint32_t b0, uint32_t b1) {
  asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "
      "{%0,%1,%2,%3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a.r[0]), "r"(a.r[1]), "r"(a.r[2]), "r"(a.r[3]), "r"(b0), "r"(b1));
}

__device__ inline Fragment ldmatrix_x4(const Bf16* p) {
  Fragment f;
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(f.r[0]), "=r"(f.r[1]), "=r"(f.r[2]), "=r"(f.r[3])
               : "r"(static_cast<uint32_t>(__cvta_generic_to_shared(p))));
  return f;
}
__device__ inline Fragment ldmatrix_x4_trans(const Bf16* p) {
  Fragment f;
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(f.r[0]), "=r"(f.r[1]), "=r"(f.r[2]), "=r"(f.r[3])
               : "r"(static_cast<uint32_t>(__cvta_generic_to_shared(p))));
  return f;
}

constexpr float log2_e = 1.4426950408889634f, ln_2 = 0.6931471805599453f;

// 2^x by the special function unit, within 2 parts in 2^22; results below normal numbers are 0.
__device__ inline float exp2_approx(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

__device__ inline uint32_t pack_bf16x2(float low, float high) {
  const __nv_bfloat162 pair = __floats2bfloat162_rn(low, high);
  return *reinterpret_cast<const uint32_t*>(&pair);
}

// Transposes an 8 x 8 matrix of bf16, of which lane l holds columns 2 (l % 4) and the next of row l / 4.
__device__ inline uint32_t transpose_8x8(uint32_t pair) {
  uint32_t transposed;
  asm("movmatrix.sync.aligned.m8n8.trans.b16 %0, %1;" : "=r"(transposed) : "r"(pair));
  return transposed;
}

// Stores two neighbouring columns.
__device__ inline void store_pair(float* to, float2 pair) {
  *reinterpret_cast<float2*>(to) = pair;
}
__device__ inline void store_pair(Bf16* to, float2 pair) {
  *reinterpret_cast<uint32_t*>(to) = pack_bf16x2(pair.x, pair.y);
}

// A tile of rows in shared memory, padded by eight elements so that ldmatrix has no bank conflicts.
template <int width>
struct SmemTile {
  static constexpr int ld = width + 8;
  Bf16* data;

  __device__ Bf16* at(int row, int col) const { return data + row * ld + col; }
  // A fragment of A: rows row .. row + 15, columns k .. k + 15.
  __device__ Fragment a_fragment(int row, int k, int lane) const {
    return ldmatrix_x4(at(row + lane % 16, k + lane / 16 * 8));
  }
  // The same of the transposed tile, whose rows run along K: columns row .. row + 15.
  __device__ Fragment a_fragment_trans(int k, int row, int lane) const {
    return ldmatrix_x4_trans(at(k + lane / 16 * 8 + lane % 8, row + lane / 8 % 2 * 8));
  }
  // Two fragments of B = tile^T: r[0..1] tile rows n .. n + 7, r[2..3] the next eight.
  __device__ Fragment b_fragments(int n, int k, int lane) const {
    return ldmatrix_x4(at(n + lane / 16 * 8 + lane % 8, k + lane / 8 % 2 * 8));
  }
  // Two fragments of B = tile: columns n .. n + 7, and the next eight.
  __device__ Fragment b_fragments_trans(int k, int n, int lane) const {
    return ldmatrix_x4_trans(at(k + lane % 16, n + lane / 16 * 8));
  }
};

// cp.async of `rows` rows of `width` elements from row(i, c) on, 16 bytes each; zeros from row `valid` on.
template <int rows, int width, class Row>
__device__ void cp_async_rows(const SmemTile<width>& tile, int64_t valid, const Row& row) {
  constexpr int per_row = width / 8;
  for (int i = threadIdx.x; i < rows * per_row; i += blockDim.x) {
    const int r = i / per_row, c = i % per_row * 8;
    const bool inside = r < valid;
    __pipeline_memcpy_async(tile.at(r, c), row(inside ? r : 0, c), 16, inside ? 0 : 16);
  }
}

// Two neighbouring 16 x 8 accumulators as one A fragment, rounded to bf16.
__device__ inline Fragment as_a_fragment(const float (&a)[4], const float (&b)[4]) {
  return {
      {pack_bf16x2(a[0], a[1]), pack_bf16x2(a[2], a[3]), pack_bf16x2(b[0], b[1]), pack_bf16x2(b[2], b[3])}};
}

}  // namespace fathom::cuda
