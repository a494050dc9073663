// Dense skinny GEMMs, single or batched.
#include "ops/cuda/matmul/gemm.h"
#include "ops/cuda/matmul/skinny_gemm.cuh"

namespace fathom::cuda {
namespace {

// A batch: blockIdx.y is the matrix.
struct Batch {
  SkinnyGemm first;
  int64_t a_stride, b_stride, c_stride;  // bytes, from one matrix to the next

  __device__ SkinnyGemm this_matrix() const {
    const auto advanced = [](const void* p, int64_t stride) {
      return static_cast<const std::byte*>(p) + blockIdx.y * stride;
    };
    SkinnyGemm p = first;
    p.a = reinterpret_cast<const __nv_bfloat16*>(advanced(p.a, a_stride));
    p.b = reinterpret_cast<const __nv_bfloat16*>(advanced(p.b, b_stride));
    p.c = const_cast<std::byte*>(advanced(p.c, c_stride));
    return p;
  }
};

template <class Out, int tiles, int halves>
__global__ __launch_bounds__(skinny_warps* warp_size, 2) void k_major_kernel(Batch batch) {
  wait_for_previous_kernel();
  skinny_k_major<Out, tiles, halves>(batch.this_matrix(), blockIdx.x * 8 * tiles);
}

// B is MN-major. A block computes 64 columns; lane 4 g + t loads columns 8 g .. 8 g + 7 of the rows of B that
// mma gives it, and column j of those 8 goes into mma j.
constexpr int mn_major_warps = 4;
template <class Out, int halves>
__global__ __launch_bounds__(mn_major_warps* warp_size) void mn_major_kernel(Batch batch) {
  wait_for_previous_kernel();
  const SkinnyGemm p = batch.this_matrix();
  constexpr int k_step = 16, loads_in_flight = 2, columns = 64;
  __shared__ float sums[mn_major_warps][8 * halves][columns];
  const int warp = threadIdx.x / warp_size, g = threadIdx.x % warp_size / 4, t = threadIdx.x % 4;
  const int n0 = blockIdx.x * columns, n = n0 + g * skinny_vector;
  const __nv_bfloat16 *a = p.a + g * p.a_stride, *b = p.b + n;
  float c[skinny_vector][4] = {};
  for (int first = warp * k_step; first < p.K; first += loads_in_flight * mn_major_warps * k_step) {
    uint32_t x[loads_in_flight][2][2] = {};  // of the lower and the upper 8 of k, of each half of A
    uint4 w[loads_in_flight][2][2] = {};     // of the lower and the upper 8 of k, of the even and the odd k
#pragma unroll
    for (int i = 0; i < loads_in_flight; ++i)
#pragma unroll
      for (int upper = 0; upper < 2; ++upper) {
        const int k = first + i * mn_major_warps * k_step + upper * 8 + 2 * t;  // K is even
        const bool inside = k < p.K;
        if (inside && n < p.N) {
          w[i][upper][0] = load_streaming(b + k * p.b_stride);
          w[i][upper][1] = load_streaming(b + (k + 1) * p.b_stride);
        }
#pragma unroll
        for (int half = 0; half < halves; ++half)
          if (inside && half * 8 + g < p.M) x[i][upper][half] = load_pair(a + half * 8 * p.a_stride + k);
      }
#pragma unroll
    for (int i = 0; i < loads_in_flight; ++i)
#pragma unroll
      for (int j = 0; j < skinny_vector; ++j) {
        uint32_t pair[2];  // k and k + 1 of column j
#pragma unroll
        for (int upper = 0; upper < 2; ++upper) {
          const uint4 even = w[i][upper][0], odd = w[i][upper][1];
          const uint32_t low[4] = {even.x, even.y, even.z, even.w}, high[4] = {odd.x, odd.y, odd.z, odd.w};
          pair[upper] = __byte_perm(low[j / 2], high[j / 2], j % 2 ? 0x7632 : 0x5410);
        }
        mma_m16n8k16(c[j], {{x[i][0][0], x[i][0][1], x[i][1][0], x[i][1][1]}}, pair[0], pair[1]);
      }
  }
#pragma unroll
  for (int j = 0; j < skinny_vector; ++j)
#pragma unroll
    for (int i = 0; i < 2 * halves; ++i)
      sums[warp][i / 2 * 8 + g][(2 * t + i % 2) * skinny_vector + j] = c[j][i];
  store_sums<Out>(p, sums, n0);
}

// Whether every row of every matrix of the batch is aligned to `elements` elements.
bool aligned(const Matrix& m, int elements) {
  const uint64_t bytes = reinterpret_cast<uintptr_t>(m.data) |
                         static_cast<uint64_t>(m.row_stride | m.batch_stride) * sizeof(bf16);
  return bytes % (elements * sizeof(bf16)) == 0;
}

bool supported(const Gemm& g) {
  constexpr int64_t limit = 1 << 30;  // sizes are 32-bit in the kernels
  const bool sizes = g.M <= skinny_rows && g.N < limit && g.K < limit && g.batch <= 65535;
  if (!sizes || g.a.dtype != DType::bf16 || g.b.dtype != DType::bf16 || g.a.transposed) return false;
  if (!aligned(g.b, skinny_vector)) return false;
  return g.b.transposed ? aligned(g.a, skinny_vector) && g.K % skinny_vector == 0
                        : aligned(g.a, 2) && g.K % 2 == 0 && g.N % skinny_vector == 0;
}

void run(const Device& device, const Gemm& g, int64_t columns, int warps, void (*kernel)(Batch)) {
  const dim3 grid(static_cast<unsigned>(ceil_div(g.N, columns)), static_cast<unsigned>(g.batch));
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
  launch_chained(device, grid, warps * warp_size, 0, kernel, batch);
}

}  // namespace

bool skinny_gemm(const Device& device, const Gemm& g) {
  if (!supported(g)) return false;
  with_dtype<float, bf16>("gemm", g.c.dtype, [&]<class Out>(Out) {
    const int tiles = skinny_tiles(device, ceil_div(g.N, 8) * g.batch);
    with_skinny_shape(tiles, g.M, [&](auto t, auto halves) {
      if (g.b.transposed)
        run(device, g, 8 * t, skinny_warps, k_major_kernel<gpu_t<Out>, t, halves>);
      else
        run(device, g, 64, mn_major_warps, mn_major_kernel<gpu_t<Out>, halves>);
    });
  });
  return true;
}

}  // namespace fathom::cuda
