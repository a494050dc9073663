// Dense products of few rows, alone or in a batch, by the tiles of thin_tile.cuh.
#include "ops/cuda/matmul/gemm.h"
#include "ops/cuda/matmul/thin_tile.cuh"

namespace fathom::cuda {
namespace {

// The same product over and over, block.y of them.
struct Batch {
  Thin first;
  int64_t a_stride, b_stride, c_stride;  // bytes, from one to the next

  __device__ Thin mine() const {
    const auto advanced = [](const void* p, int64_t stride) {
      return static_cast<const std::byte*>(p) + blockIdx.y * stride;
    };
    Thin p = first;
    p.a = reinterpret_cast<const __nv_bfloat16*>(advanced(p.a, a_stride));
    p.b = reinterpret_cast<const __nv_bfloat16*>(advanced(p.b, b_stride));
    p.c = const_cast<std::byte*>(advanced(p.c, c_stride));
    return p;
  }
};

template <class Out, int tiles, int halves>
__global__ __launch_bounds__(thin_warps* warp_size, 2) void dense_along_k(Batch batch) {
  multiply_along_k<Out, tiles, halves>(batch.mine(), blockIdx.x * 8 * tiles);
}

// B's rows are dense. A block computes 64 columns; lane 4 g + t holds columns 8 g .. 8 g + 7 of the rows of B
// that mma gives it, and column j of those 8 goes into product j.
constexpr int across_warps = 4;
template <class Out, int halves>
__global__ __launch_bounds__(across_warps* warp_size) void dense_across_k(Batch batch) {
  const Thin p = batch.mine();
  constexpr int stretch = 16, flight = 2, columns = 64;
  __shared__ float sums[across_warps][8 * halves][columns];
  const int warp = threadIdx.x / warp_size, g = threadIdx.x % warp_size / 4, t = threadIdx.x % 4;
  const int n0 = blockIdx.x * columns, n = n0 + g * thin_vector;
  const __nv_bfloat16 *a = p.a + g * p.a_stride, *b = p.b + n;
  float c[thin_vector][4] = {};
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
          w[i][upper][0] = load_once(b + k * p.b_stride);
          w[i][upper][1] = load_once(b + (k + 1) * p.b_stride);
        }
#pragma unroll
        for (int half = 0; half < halves; ++half)
          if (inside && half * 8 + g < p.M) x[i][upper][half] = load_pair(a + half * 8 * p.a_stride + k);
      }
#pragma unroll
    for (int i = 0; i < flight; ++i)
#pragma unroll
      for (int j = 0; j < thin_vector; ++j) {
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
  for (int j = 0; j < thin_vector; ++j)
#pragma unroll
    for (int i = 0; i < 2 * halves; ++i)
      sums[warp][i / 2 * 8 + g][(2 * t + i % 2) * thin_vector + j] = c[j][i];
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
  const bool sizes = g.M <= thin_rows && g.N < most && g.K < most && g.batch <= 65535;
  if (!sizes || g.a.dtype != DType::bf16 || g.b.dtype != DType::bf16 || g.a.transposed) return false;
  if (!aligned(g.b, thin_vector)) return false;
  return g.b.transposed ? aligned(g.a, thin_vector) && g.K % thin_vector == 0
                        : aligned(g.a, 2) && g.K % 2 == 0 && g.N % thin_vector == 0;
}

void run(const Device& device, const Gemm& g, int64_t columns, int warps, void (*kernel)(Batch)) {
  const dim3 grid(static_cast<unsigned>(blocks_for(g.N, columns)), static_cast<unsigned>(g.batch));
  const auto stride = [](const Matrix& m) { return m.batch_stride * size_of(m.dtype); };
  const Batch batch = {.first = {.a = static_cast<const __nv_bfloat16*>(g.a.data),
                                 .b = static_cast<const __nv_bfloat16*>(g.b.data),
                                 .c = g.c.data,
                                 .a_stride = g.a.row_stride,
                                 .b_stride = g.b.row_stride,
                                 .c_stride = g.c.row_stride,
                                 .M = static_cast<int>(g.M),
                                 .N = static_cast<int>(g.N),
                                 .K = static_cast<int>(g.K),
                                 .accumulate = g.accumulate},
                       .a_stride = stride(g.a),
                       .b_stride = stride(g.b),
                       .c_stride = stride(g.c)};
  launch(device, grid, warps * warp_size, 0, kernel, batch);
}

}  // namespace

bool thin_gemm(const Device& device, const Gemm& g) {
  if (!suits(g)) return false;
  with_dtype<float, bf16>("gemm", g.c.dtype, [&]<class Out>(Out) {
    const int tiles = thin_tiles(device, blocks_for(g.N, 8) * g.batch);
    with_thin_shape(tiles, g.M, [&](auto t, auto halves) {
      if (g.b.transposed)
        run(device, g, 8 * t, thin_warps, dense_along_k<gpu_t<Out>, t, halves>);
      else
        run(device, g, 64, across_warps, dense_across_k<gpu_t<Out>, halves>);
    });
  });
  return true;
}

}  // namespace fathom::cuda
