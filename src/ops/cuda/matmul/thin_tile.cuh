// Products of at most 16 rows of bf16, as decoding makes them: the time is that of reading B, once. The
// tensor cores take B straight from registers: sums may run over k in any order that A and B share, so a
// thread's 16-byte load is a fragment as it is. The warps of a block share out k and add their sums up in a
// fixed order, so there are enough blocks to fill the GPU.
#pragma once
#include "ops/cuda/kernel.cuh"

namespace fathom::cuda {

// One of them, C = A B or C += A B. Sizes are 32-bit numbers in the kernels.
struct Thin {
  const __nv_bfloat16 *a, *b;
  void* c;
  int64_t a_stride, b_stride, c_stride;  // elements, from one row (B along k: column) to the next
  int M, N, K;
  bool accumulate;
};
constexpr int thin_rows = 16;   // of mma's A
constexpr int thin_vector = 8;  // bf16 in 16 bytes

// c [16, 8] += a [16, 16] b [16, 8]. Of lane 4 g + t: a is rows g, g + 8, g, g + 8 at columns (2 t, 2 t + 1),
// the last two at columns 8 further; b is rows (2 t, 2 t + 1) and 8 further of column g; c is columns
// (2 t, 2 t + 1) of row g, then of row g + 8.
__device__ inline void mma(float (&c)[4], uint32_t a0, uint32_t a1, uint32_t a2, uint32_t a3, uint32_t b0,
                           uint32_t b1) {
  asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
      "{%0, %1, %2, %3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a0), "r"(a1), "r"(a2), "r"(a3), "r"(b0), "r"(b1));
}

// What is read once should not push A out of the first-level cache.
__device__ inline uint4 load_once(const __nv_bfloat16* p) {
  uint4 v;
  asm("ld.global.nc.L1::no_allocate.v4.u32 {%0, %1, %2, %3}, [%4];"
      : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w)
      : "l"(p));
  return v;
}
__device__ inline uint4 load(const __nv_bfloat16* p) {
  return __ldg(reinterpret_cast<const uint4*>(p));
}
// Two bf16.
__device__ inline uint32_t load_pair(const __nv_bfloat16* p) {
  return __ldg(reinterpret_cast<const uint32_t*>(p));
}

// Sums of all warps joined into C: sums[warp][row][column], the first of the columns being C's n0.
template <class Out, int warps, int rows, int columns>
__device__ void write(const Thin& p, const float (&sums)[warps][rows][columns], int n0) {
  __syncthreads();
  Out* c = static_cast<Out*>(p.c);
  for (int i = threadIdx.x; i < rows * columns; i += warps * warp_size) {
    const int m = i / columns, n = i % columns;
    if (m >= p.M || n0 + n >= p.N) continue;
    float sum = 0;
    for (int warp = 0; warp < warps; ++warp) sum += sums[warp][m][n];
    Out& out = c[m * p.c_stride + n0 + n];
    out = from_float<Out>(p.accumulate ? to_float(out) + sum : sum);
  }
}

// B's columns are dense in memory along k (weights, an output per row). A block computes 8 * tiles columns.
// In 32 steps of k, lane 4 g + t holds k = 8 t .. 8 t + 7 of row g of A and column g of B.
constexpr int thin_warps = 8;
template <class Out, int tiles, int halves>  // halves: of A's 16 rows
__device__ void multiply_along_k(const Thin& p, int n0) {
  constexpr int stretch = 32, flight = 8 / tiles, columns = 8 * tiles;
  __shared__ float sums[thin_warps][8 * halves][columns];
  const int warp = threadIdx.x / warp_size, g = threadIdx.x % warp_size / 4, t = threadIdx.x % 4;
  const __nv_bfloat16* a = p.a + g * p.a_stride;
  const __nv_bfloat16* b = p.b + (n0 + g) * p.b_stride;
  float c[tiles][4] = {};
  // A warp takes pairs of stretches, 128 bytes of every column, in turn with the others.
  for (int first = warp * 2 * stretch; first < p.K; first += flight / 2 * thin_warps * 2 * stretch) {
    uint4 x[flight][2] = {}, w[flight][tiles] = {};
#pragma unroll
    for (int i = 0; i < flight; ++i) {
      const int k = first + i / 2 * thin_warps * 2 * stretch + i % 2 * stretch + t * thin_vector;
      const bool inside = k < p.K;
#pragma unroll
      for (int tile = 0; tile < tiles; ++tile)
        if (inside && n0 + tile * 8 + g < p.N) w[i][tile] = load_once(b + tile * 8 * p.b_stride + k);
#pragma unroll
      for (int half = 0; half < halves; ++half)
        if (inside && half * 8 + g < p.M) x[i][half] = load(a + half * 8 * p.a_stride + k);
    }
#pragma unroll
    for (int i = 0; i < flight; ++i)
#pragma unroll
      for (int tile = 0; tile < tiles; ++tile) {
        mma(c[tile], x[i][0].x, x[i][1].x, x[i][0].y, x[i][1].y, w[i][tile].x, w[i][tile].y);
        mma(c[tile], x[i][0].z, x[i][1].z, x[i][0].w, x[i][1].w, w[i][tile].z, w[i][tile].w);
      }
  }
#pragma unroll
  for (int tile = 0; tile < tiles; ++tile)
#pragma unroll
    for (int i = 0; i < 2 * halves; ++i) sums[warp][i / 2 * 8 + g][tile * 8 + 2 * t + i % 2] = c[tile][i];
  write<Out>(p, sums, n0);
}

// Columns to a block, in eights: as many, for A is then read the less often, as leave two blocks to every
// multiprocessor.
inline int thin_tiles(const Device& device, int64_t all_tiles) {
  const int64_t each = all_tiles / (2 * device.cuda_context().multiprocessors());
  return each >= 4 ? 4 : each >= 2 ? 2 : 1;
}
// body(std::integral_constant<int, tiles>, std::integral_constant<int, halves>)
template <class Body>
void with_thin_shape(int tiles, int64_t rows, const Body& body) {
  const auto with_tiles = [&](auto halves) {
    if (tiles == 4) return body(std::integral_constant<int, 4>(), halves);
    if (tiles == 2) return body(std::integral_constant<int, 2>(), halves);
    body(std::integral_constant<int, 1>(), halves);
  };
  if (rows <= thin_rows / 2)
    with_tiles(std::integral_constant<int, 1>());
  else
    with_tiles(std::integral_constant<int, 2>());
}

}  // namespace fathom::cuda
