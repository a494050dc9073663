// The tensor cores' own instructions: products of 16 x 16 by 16 x 8 bf16 matrices, and loads of their
// fragments from shared memory. In a result fragment lane l holds, of rows l/4 and l/4 + 8, columns 2 (l%4)
// and the next.
#pragma once
#include <cuda_pipeline.h>

#include "ops/cuda/kernel.cuh"

namespace fathom::cuda {

using Bf16 = __nv_bfloat16;

struct Fragment4 {
  uint32_t r[4];
};

// c += a b
__device__ inline void multiply(float (&c)[4], const Fragment4& a, uint32_t b0, uint32_t b1) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "
      "{%0,%1,%2,%3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a.r[0]), "r"(a.r[1]), "r"(a.r[2]), "r"(a.r[3]), "r"(b0), "r"(b1));
}

__device__ inline Fragment4 load_matrices(const Bf16* p) {
  Fragment4 f;
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(f.r[0]), "=r"(f.r[1]), "=r"(f.r[2]), "=r"(f.r[3])
               : "r"(static_cast<uint32_t>(__cvta_generic_to_shared(p))));
  return f;
}
__device__ inline Fragment4 load_matrices_transposed(const Bf16* p) {
  Fragment4 f;
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(f.r[0]), "=r"(f.r[1]), "=r"(f.r[2]), "=r"(f.r[3])
               : "r"(static_cast<uint32_t>(__cvta_generic_to_shared(p))));
  return f;
}

constexpr float log2_e = 1.4426950408889634f, ln_2 = 0.6931471805599453f;

// 2^x by the special function unit, good to 2 parts in 2^22; 0 for what is smaller than normal numbers.
__device__ inline float power_of_2(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

__device__ inline uint32_t pack(float low, float high) {
  const __nv_bfloat162 pair = __floats2bfloat162_rn(low, high);
  return *reinterpret_cast<const uint32_t*>(&pair);
}

// Two neighbouring columns of a result.
__device__ inline void store_pair(float* to, float2 pair) {
  *reinterpret_cast<float2*>(to) = pair;
}
__device__ inline void store_pair(Bf16* to, float2 pair) {
  *reinterpret_cast<uint32_t*>(to) = pack(pair.x, pair.y);
}

// A tile of rows in shared memory; eight elements more a row keep the rows of a load in banks of their own.
template <int width>
struct Tile {
  static constexpr int ld = width + 8;
  Bf16* data;

  __device__ Bf16* at(int row, int col) const { return data + row * ld + col; }
  // A left operand: rows row .. row + 15, depth k .. k + 15.
  __device__ Fragment4 left(int row, int k, int lane) const {
    return load_matrices(at(row + lane % 16, k + lane / 16 * 8));
  }
  // The same where the depth runs down the tile's rows: columns row .. row + 15 of it.
  __device__ Fragment4 left_of_columns(int k, int row, int lane) const {
    return load_matrices_transposed(at(k + lane / 16 * 8 + lane % 8, row + lane / 8 % 2 * 8));
  }
  // Two right operands of eight columns, whose columns are the tile's rows: r[0..1] rows n .. n + 7, r[2..3]
  // the next.
  __device__ Fragment4 right_of_rows(int n, int k, int lane) const {
    return load_matrices(at(n + lane / 16 * 8 + lane % 8, k + lane / 8 % 2 * 8));
  }
  // The same where the depth runs along the tile's rows: columns n .. n + 7 of it, and the next eight.
  __device__ Fragment4 right_of_columns(int k, int n, int lane) const {
    return load_matrices_transposed(at(k + lane % 16, n + lane / 16 * 8));
  }
};

// `rows` rows of `width` elements from row(i) + c on, 16 bytes at a time, without waiting; past `valid`
// zeros.
template <int rows, int width, class Row>
__device__ void copy_rows(const Tile<width>& tile, int64_t valid, const Row& row) {
  constexpr int per_row = width / 8;
  for (int i = threadIdx.x; i < rows * per_row; i += blockDim.x) {
    const int r = i / per_row, c = i % per_row * 8;
    const bool inside = r < valid;
    __pipeline_memcpy_async(tile.at(r, c), row(inside ? r : 0, c), 16, inside ? 0 : 16);
  }
}

// Two neighbouring result fragments of 16 x 8 as one left operand of depth 16.
__device__ inline Fragment4 as_left(const float (&a)[4], const float (&b)[4]) {
  return {{pack(a[0], a[1]), pack(a[2], a[3]), pack(b[0], b[1]), pack(b[2], b[3])}};
}

}  // namespace fathom::cuda
