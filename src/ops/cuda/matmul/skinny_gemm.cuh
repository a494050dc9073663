// GEMMs with at most 16 rows of bf16, as in decoding: the time is that of reading B once. B goes to the
// tensor cores straight from registers: sums may run over K in any order that A and B share, so a thread's
// 16-byte load is already a fragment. The warps of a block split K and add their sums in a fixed order, which
// gives enough blocks to fill the GPU.
#pragma once
#include "ops/cuda/matmul/mma.cuh"

namespace fathom::cuda {

// C = A B or C += A B. Sizes are 32-bit in the kernels.
struct SkinnyGemm {
  const __nv_bfloat16 *a, *b;
  void* c;
  int64_t a_stride, b_stride, c_stride;  // elements, from one row (B along k: column) to the next
  int M, N, K;
  bool accumulate;
};
constexpr int skinny_rows = 16;   // of mma's A
constexpr int skinny_vector = 8;  // bf16 in 16 bytes

// B is read once: it should not evict A from the L1 cache.
__device__ inline uint4 load_streaming(const __nv_bfloat16* p) {
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

// Adds the warps' sums and stores them in C: sums[warp][row][column], from column n0 of C on.
template <class Out, int warps, int rows, int columns>
__device__ void store_sums(const SkinnyGemm& p, const float (&sums)[warps][rows][columns], int n0) {
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

// B is K-major (weights, an output per row). A block computes 8 * tiles columns.
// In 32 steps of k, lane 4 g + t holds k = 8 t .. 8 t + 7 of row g of A and column g of B.
constexpr int skinny_warps = 8;
template <class Out, int tiles, int halves>  // halves: of A's 16 rows
__device__ void skinny_k_major(const SkinnyGemm& p, int n0) {
  constexpr int k_step = 32, loads_in_flight = 8 / tiles, columns = 8 * tiles;
  __shared__ float sums[skinny_warps][8 * halves][columns];
  const int warp = threadIdx.x / warp_size, g = threadIdx.x % warp_size / 4, t = threadIdx.x % 4;
  const __nv_bfloat16* a = p.a + g * p.a_stride;
  const __nv_bfloat16* b = p.b + (n0 + g) * p.b_stride;
  float c[tiles][4] = {};
  // Warps take pairs of K steps, 128 bytes of every column, round robin.
  for (int first = warp * 2 * k_step; first < p.K; first += loads_in_flight / 2 * skinny_warps * 2 * k_step) {
    uint4 x[loads_in_flight][2] = {}, w[loads_in_flight][tiles] = {};
#pragma unroll
    for (int i = 0; i < loads_in_flight; ++i) {
      const int k = first + i / 2 * skinny_warps * 2 * k_step + i % 2 * k_step + t * skinny_vector;
      const bool inside = k < p.K;
#pragma unroll
      for (int tile = 0; tile < tiles; ++tile)
        if (inside && n0 + tile * 8 + g < p.N) w[i][tile] = load_streaming(b + tile * 8 * p.b_stride + k);
#pragma unroll
      for (int half = 0; half < halves; ++half)
        if (inside && half * 8 + g < p.M) x[i][half] = load(a + half * 8 * p.a_stride + k);
    }
#pragma unroll
    for (int i = 0; i < loads_in_flight; ++i)
#pragma unroll
      for (int tile = 0; tile < tiles; ++tile) {
        mma_m16n8k16(c[tile], {{x[i][0].x, x[i][1].x, x[i][0].y, x[i][1].y}}, w[i][tile].x, w[i][tile].y);
        mma_m16n8k16(c[tile], {{x[i][0].z, x[i][1].z, x[i][0].w, x[i][1].w}}, w[i][tile].z, w[i][tile].w);
      }
  }
#pragma unroll
  for (int tile = 0; tile < tiles; ++tile)
#pragma unroll
    for (int i = 0; i < 2 * halves; ++i) sums[warp][i / 2 * 8 + g][tile * 8 + 2 * t + i % 2] = c[tile][i];
  store_sums<Out>(p, sums, n0);
}

// Columns per block, in eights: as many (A is then read less often) as leave two blocks for every
// multiprocessor.
inline int skinny_tiles(const Device& device, int64_t all_tiles) {
  const int64_t each = all_tiles / (2 * device.cuda_context().multiprocessors());
  return each >= 4 ? 4 : each >= 2 ? 2 : 1;
}
// body(std::integral_constant<int, tiles>, std::integral_constant<int, halves>)
template <class Body>
void with_skinny_shape(int tiles, int64_t rows, const Body& body) {
  const auto with_tiles = [&](auto halves) {
    if (tiles == 4) return body(std::integral_constant<int, 4>(), halves);
    if (tiles == 2) return body(std::integral_constant<int, 2>(), halves);
    body(std::integral_constant<int, 1>(), halves);
  };
  if (rows <= skinny_rows / 2)
    with_tiles(std::integral_constant<int, 1>());
  else
    with_tiles(std::integral_constant<int, 2>());
}

}  // namespace fathom::cuda
