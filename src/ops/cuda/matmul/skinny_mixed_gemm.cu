// Skinny GEMMs of bf16 rows with an f32 weight: the router's in decoding and in chunks of a prompt. Each
// element of the weight is read once per 16 rows and split in registers into three bf16 parts that sum to it,
// so that the tensor cores multiply it without loss. Fragments are held as in skinny_gemm.cuh.
#include "ops/cuda/matmul/gemm.h"
#include "ops/cuda/matmul/skinny_gemm.cuh"

namespace fathom::cuda {
namespace {

constexpr int warps = 16, k_step = 32, loads_in_flight = 4, columns = 8, parts = 3;

struct MixedGemm {
  const __nv_bfloat16* a;
  const float* b;
  float* c;
  int64_t a_stride, b_stride, c_stride;
  int M, N, K;
  bool accumulate;
};

// Eight elements as three times eight bf16: the high, middle and low parts.
__device__ void split(const float4& first, const float4& second, uint4 (&out)[parts]) {
  float rest[8] = {first.x, first.y, first.z, first.w, second.x, second.y, second.z, second.w};
#pragma unroll
  for (int part = 0; part < parts; ++part) {
    uint32_t words[4];
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const __nv_bfloat162 pair = __floats2bfloat162_rn(rest[2 * i], rest[2 * i + 1]);
      rest[2 * i] -= __low2float(pair), rest[2 * i + 1] -= __high2float(pair);
      words[i] = *reinterpret_cast<const uint32_t*>(&pair);
    }
    out[part] = make_uint4(words[0], words[1], words[2], words[3]);
  }
}

// A block computes 8 columns of 16 rows; its warps split K in steps of 32 and add their sums in a
// fixed order, so a row's result does not depend on how many rows there are.
__global__ __launch_bounds__(warps* warp_size) void skinny_mixed(MixedGemm p) {
  __shared__ float sums[warps][skinny_rows][columns];
  wait_for_previous_kernel();
  const int warp = threadIdx.x / warp_size, g = threadIdx.x % warp_size / 4, t = threadIdx.x % 4;
  const int m0 = blockIdx.y * skinny_rows, n0 = blockIdx.x * columns;
  const __nv_bfloat16* a = p.a + (m0 + g) * p.a_stride;
  const float* b = p.b + (n0 + g) * p.b_stride;
  float c[parts][4] = {};
  for (int first = warp * k_step; first < p.K; first += loads_in_flight * warps * k_step) {
    uint4 x[loads_in_flight][2] = {};
    float4 w[loads_in_flight][2] = {};
#pragma unroll
    for (int i = 0; i < loads_in_flight; ++i) {
      const int k = first + i * warps * k_step + t * skinny_vector;
      if (k >= p.K) continue;  // K is a multiple of skinny_vector
      if (n0 + g < p.N) {
        w[i][0] = __ldg(reinterpret_cast<const float4*>(b + k));
        w[i][1] = __ldg(reinterpret_cast<const float4*>(b + k + 4));
      }
#pragma unroll
      for (int half = 0; half < 2; ++half)
        if (m0 + half * 8 + g < p.M) x[i][half] = load(a + half * 8 * p.a_stride + k);
    }
#pragma unroll
    for (int i = 0; i < loads_in_flight; ++i) {
      uint4 part[parts];
      split(w[i][0], w[i][1], part);
#pragma unroll
      for (int j = 0; j < parts; ++j) {
        mma_m16n8k16(c[j], {{x[i][0].x, x[i][1].x, x[i][0].y, x[i][1].y}}, part[j].x, part[j].y);
        mma_m16n8k16(c[j], {{x[i][0].z, x[i][1].z, x[i][0].w, x[i][1].w}}, part[j].z, part[j].w);
      }
    }
  }
#pragma unroll
  for (int i = 0; i < 4; ++i) sums[warp][i / 2 * 8 + g][2 * t + i % 2] = c[2][i] + c[1][i] + c[0][i];
  __syncthreads();
  const int m = threadIdx.x / columns, n = threadIdx.x % columns;
  if (m >= skinny_rows || m0 + m >= p.M || n0 + n >= p.N) return;
  float sum = 0;
  for (int other = 0; other < warps; ++other) sum += sums[other][m][n];
  float& out = p.c[(m0 + m) * p.c_stride + n0 + n];
  out = p.accumulate ? out + sum : sum;
}

bool suits(const Gemm& g) {
  constexpr int64_t most = 1 << 30;  // sizes are 32-bit in the kernel
  return g.M <= skinny_mixed_rows && g.N < most && g.K < most && g.batch == 1 && g.a.dtype == DType::bf16 &&
         g.b.dtype == DType::f32 && g.c.dtype == DType::f32 && !g.a.transposed && g.b.transposed &&
         g.K % skinny_vector == 0 &&
         rows_aligned_to_16_bytes(g.a.data, g.a.row_stride * size_of(DType::bf16)) &&
         rows_aligned_to_16_bytes(g.b.data, g.b.row_stride * size_of(DType::f32));
}

}  // namespace

bool skinny_mixed_gemm(const Device& device, const Gemm& g) {
  if (!suits(g)) return false;
  const dim3 grid(static_cast<unsigned>(ceil_div(g.N, columns)),
                  static_cast<unsigned>(ceil_div(g.M, skinny_rows)));
  launch_chained(device, grid, warps * warp_size, 0, skinny_mixed,
                 MixedGemm{.a = static_cast<const __nv_bfloat16*>(g.a.data),
                           .b = static_cast<const float*>(g.b.data),
                           .c = static_cast<float*>(g.c.data),
                           .a_stride = g.a.row_stride,
                           .b_stride = g.b.row_stride,
                           .c_stride = g.c.row_stride,
                           .M = static_cast<int>(g.M),
                           .N = static_cast<int>(g.N),
                           .K = static_cast<int>(g.K),
                           .accumulate = g.accumulate});
  return true;
}

}  // namespace fathom::cuda
