// Products of at most 16 rows of bf16, as decoding makes them: the time is that of reading B, once. The
// tensor cores take B straight from registers: sums may run over k in any order that A and B share, so a
// thread's 16-byte load is a fragment as it is. The warps of a block share out k and add their sums up in a
// fixed order, so there are enough blocks to fill the GPU.
#include "ops/cuda/gemm.h"
#include "ops/cuda/kernel.cuh"

namespace fathom::cuda {
namespace {

constexpr int64_t most_rows = 16;  // of mma's A
constexpr int vector = 8;          // bf16 in 16 bytes

struct Thin {
  Matrix a, b, c;
  int M, N, K;
  bool accumulate;
};

template <class T>
__device__ T* batch_of(const Matrix& m) {
  return static_cast<T*>(m.data) + blockIdx.y * m.batch_stride;
}

// c [16, 8] += a [16, 16] b [16, 8]. Of lane 4 g + t: a is rows g, g + 8, g, g + 8 at columns (2 t, 2 t + 1),
// the last two at columns 8 further; b is rows (2 t, 2 t + 1) and 8 further of column g; c is columns
// (2 t, 2 t + 1) of row g, then of row g + 8.
__device__ void mma(float (&c)[4], uint32_t a0, uint32_t a1, uint32_t a2, uint32_t a3, uint32_t b0,
                    uint32_t b1) {
  asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
      "{%0, %1, %2, %3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a0), "r"(a1), "r"(a2), "r"(a3), "r"(b0), "r"(b1));
}

// What is read once should not push A out of the first-level cache.
__device__ uint4 load_once(const __nv_bfloat16* p) {
  uint4 v;
  asm("ld.global.nc.L1::no_allocate.v4.u32 {%0, %1, %2, %3}, [%4];"
      : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w)
      : "l"(p));
  return v;
}
__device__ uint4 load(const __nv_bfloat16* p) {
  return __ldg(reinterpret_cast<const uint4*>(p));
}
// Two bf16.
__device__ uint32_t load_pair(const __nv_bfloat16* p) {
  return __ldg(reinterpret_cast<const uint32_t*>(p));
}

// Sums of all warps joined into C: sums[warp][row][column], the first of the columns being C's n0.
template <class Out, int warps, int rows, int columns>
__device__ void write(const Thin& p, const float (&sums)[warps][rows][columns], int n0) {
  __syncthreads();
  Out* c = batch_of<Out>(p.c);
  for (int i = threadIdx.x; i < rows * columns; i += warps * warp_size) {
    const int m = i / columns, n = i % columns;
    if (m >= p.M || n0 + n >= p.N) continue;
    float sum = 0;
    for (int warp = 0; warp < warps; ++warp) sum += sums[warp][m][n];
    Out& out = c[m * p.c.row_stride + n0 + n];
    out = from_float<Out>(p.accumulate ? to_float(out) + sum : sum);
  }
}

// B's columns are dense in memory along k (weights, an output per row). A block computes 8 * tiles columns.
// In 32 steps of k, lane 4 g + t holds k = 8 t .. 8 t + 7 of row g of A and column g of B.
constexpr int along_warps = 8;
template <class Out, int tiles, int halves>  // halves: of A's 16 rows
__global__ __launch_bounds__(along_warps* warp_size, 2) void dense_along_k(Thin p) {
  constexpr int stretch = 32, flight = 8 / tiles, columns = 8 * tiles;
  __shared__ float sums[along_warps][8 * halves][columns];
  const int warp = threadIdx.x / warp_size, g = threadIdx.x % warp_size / 4, t = threadIdx.x % 4;
  const int n0 = blockIdx.x * columns;
  const __nv_bfloat16* a = batch_of<const __nv_bfloat16>(p.a) + g * p.a.row_stride;
  const __nv_bfloat16* b = batch_of<const __nv_bfloat16>(p.b) + (n0 + g) * p.b.row_stride;
  float c[tiles][4] = {};
  // A warp takes pairs of stretches, 128 bytes of every column, in turn with the others.
  for (int first = warp * 2 * stretch; first < p.K; first += flight / 2 * along_warps * 2 * stretch) {
    uint4 x[flight][2] = {}, w[flight][tiles] = {};
#pragma unroll
    for (int i = 0; i < flight; ++i) {
      const int k = first + i / 2 * along_warps * 2 * stretch + i % 2 * stretch + t * vector;
      const bool inside = k < p.K;
#pragma unroll
      for (int tile = 0; tile < tiles; ++tile)
        if (inside && n0 + tile * 8 + g < p.N) w[i][tile] = load_once(b + tile * 8 * p.b.row_stride + k);
#pragma unroll
      for (int half = 0; half < halves; ++half)
        if (inside && half * 8 + g < p.M) x[i][half] = load(a + half * 8 * p.a.row_stride + k);
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

// B's rows are dense. A block computes 64 columns; lane 4 g + t holds columns 8 g .. 8 g + 7 of the rows of B
// that mma gives it, and column j of those 8 goes into product j.
constexpr int across_warps = 4;
template <class Out, int halves>
__global__ __launch_bounds__(across_warps* warp_size) void dense_across_k(Thin p) {
  constexpr int stretch = 16, flight = 2, columns = 64;
  __shared__ float sums[across_warps][8 * halves][columns];
  const int warp = threadIdx.x / warp_size, g = threadIdx.x % warp_size / 4, t = threadIdx.x % 4;
  const int n0 = blockIdx.x * columns, n = n0 + g * vector;
  const __nv_bfloat16* a = batch_of<const __nv_bfloat16>(p.a) + g * p.a.row_stride;
  const __nv_bfloat16* b = batch_of<const __nv_bfloat16>(p.b) + n;
  float c[vector][4] = {};
  for (int first = warp * stretch; first < p.K; first += flight * across_warps * stretch) {
    uint32_t x[flight][2][2] = {};  // of the lower and the upper 8 of k, of each half of A
    uint4 w[flight][2][2] = {};     // of the lower and the upper 8 of k, of the even and the odd k
#pragma unroll
    for (int i = 0; i < flight; ++i)
#pragma unroll
      for (int upper = 0; upper < 2; ++upper) {
        const int k = first + i * across_warps * stretch + upper * 8 + 2 * t;  // K is even
        const bool inside = k < p.K;
        if (inside && n < p.N) {
          w[i][upper][0] = load_once(b + k * p.b.row_stride);
          w[i][upper][1] = load_once(b + (k + 1) * p.b.row_stride);
        }
#pragma unroll
        for (int half = 0; half < halves; ++half)
          if (inside && half * 8 + g < p.M) x[i][upper][half] = load_pair(a + half * 8 * p.a.row_stride + k);
      }
#pragma unroll
    for (int i = 0; i < flight; ++i)
#pragma unroll
      for (int j = 0; j < vector; ++j) {
        uint32_t pair[2];  // k and k + 1 of column j
#pragma unroll
        for (int upper = 0; upper < 2; ++upper) {
          const uint4 even = w[i][upper][0], odd = w[i][upper][1];
          const uint32_t low[4] = {even.x, even.y, even.z, even.w}, high[4] = {odd.x, odd.y, odd.z, odd.w};
          pair[upper] = __byte_perm(low[j / 2], high[j / 2], j % 2 ? 0x7632 : 0x5410);
        }
        mma(c[j], x[i][0][0], x[i][0][1], x[i][1][0], x[i][1][1], pair[0], pair[1]);
      }
  }
#pragma unroll
  for (int j = 0; j < vector; ++j)
#pragma unroll
    for (int i = 0; i < 2 * halves; ++i) sums[warp][i / 2 * 8 + g][(2 * t + i % 2) * vector + j] = c[j][i];
  write<Out>(p, sums, n0);
}

// Whether every row of every matrix of the batch starts at a multiple of so many elements.
bool aligned(const Matrix& m, int elements) {
  const uint64_t bytes = reinterpret_cast<uintptr_t>(m.data) |
                         static_cast<uint64_t>(m.row_stride | m.batch_stride) * sizeof(bf16);
  return bytes % (elements * sizeof(bf16)) == 0;
}

bool suits(const Gemm& g) {
  constexpr int64_t most = 1 << 30;  // sizes are 32-bit numbers in the kernels
  const bool sizes = g.M <= most_rows && g.N < most && g.K < most && g.batch <= 65535;
  if (!sizes || g.a.dtype != DType::bf16 || g.b.dtype != DType::bf16 || g.a.transposed) return false;
  if (!aligned(g.b, vector)) return false;
  return g.b.transposed ? aligned(g.a, vector) && g.K % vector == 0
                        : aligned(g.a, 2) && g.K % 2 == 0 && g.N % vector == 0;
}

void run(const Device& device, const Gemm& g, int64_t columns, int warps, void (*kernel)(Thin)) {
  const dim3 grid(static_cast<unsigned>(blocks_for(g.N, columns)), static_cast<unsigned>(g.batch));
  const Thin p{g.a,         g.b, g.c, static_cast<int>(g.M), static_cast<int>(g.N), static_cast<int>(g.K),
               g.accumulate};
  launch(device, grid, warps * warp_size, 0, kernel, p);
}

// As many columns to a block, which then reads A the less often, as leave two blocks to every multiprocessor.
template <class Out, int halves>
void run_rows(const Device& device, const Gemm& g) {
  if (!g.b.transposed) return run(device, g, 64, across_warps, dense_across_k<Out, halves>);
  const int64_t tiles = blocks_for(g.N, 8) * g.batch / (2 * device.cuda_context().multiprocessors());
  if (tiles >= 4) return run(device, g, 32, along_warps, dense_along_k<Out, 4, halves>);
  if (tiles >= 2) return run(device, g, 16, along_warps, dense_along_k<Out, 2, halves>);
  run(device, g, 8, along_warps, dense_along_k<Out, 1, halves>);
}

}  // namespace

bool thin_gemm(const Device& device, const Gemm& g) {
  if (!suits(g)) return false;
  with_dtype<float, bf16>("gemm", g.c.dtype, [&]<class Out>(Out) {
    g.M <= 8 ? run_rows<gpu_t<Out>, 1>(device, g) : run_rows<gpu_t<Out>, 2>(device, g);
  });
  return true;
}

}  // namespace fathom::cuda
