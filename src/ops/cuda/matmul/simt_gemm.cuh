// A block's 64 x 64 tile of a matrix product without tensor cores, in true f32: 4 x 4 elements per thread.
#pragma once
#include "ops/cuda/kernel.cuh"
#include "ops/cuda/matmul/operand.cuh"

namespace fathom::cuda {

// An operand of any layout: element (i, k) is data[i * mn_stride + k * k_stride], i a row of A or a column of
// B.
template <class T>
struct StridedOperand {
  const T* data;
  int64_t mn_stride, k_stride;
};

template <class A, class B>
struct SimtTile {
  static constexpr int rows = 64, cols = 64, threads = 256, block_k = 16, part = 4;
  static constexpr int ld = rows + part;  // fewer bank conflicts between steps of K
  static constexpr size_t shared_bytes = 2 * block_k * ld * sizeof(float);

  float sums[part][part] = {};
  float *a_tile, *b_tile;  // [block_k, ld]
  const int first_row = threadIdx.x / (cols / part) * part, first_col = threadIdx.x % (cols / part) * part;

  __device__ explicit SimtTile(void* memory)
      : a_tile(static_cast<float*>(memory)), b_tile(a_tile + block_k * ld) {}

  // a and b point at the tile's first row and column; valid_*: how many of them there are.
  __device__ void run(StridedOperand<A> a, StridedOperand<B> b, int64_t valid_rows, int64_t valid_cols,
                      int64_t K) {
    for (int64_t k0 = 0; k0 < K; k0 += block_k) {
      load(a_tile, a, valid_rows, k0, K);
      load(b_tile, b, valid_cols, k0, K);
      __syncthreads();
      for (int k = 0; k < block_k; ++k) {
        const float4 x = *reinterpret_cast<const float4*>(a_tile + k * ld + first_row);
        const float4 y = *reinterpret_cast<const float4*>(b_tile + k * ld + first_col);
        const float xs[part] = {x.x, x.y, x.z, x.w}, ys[part] = {y.x, y.y, y.z, y.w};
        for (int i = 0; i < part; ++i)
          for (int j = 0; j < part; ++j) sums[i][j] += xs[i] * ys[j];
      }
      __syncthreads();
    }
  }

  // This thread's results: pairs of neighbouring elements of a row.
  static constexpr int pairs = part * part / 2;
  __device__ int row(int p) const { return first_row + p / (part / 2); }
  __device__ int col(int p) const { return first_col + p % (part / 2) * 2; }
  __device__ float2 pair(int p) const {
    const float* first = sums[p / (part / 2)] + p % (part / 2) * 2;
    return make_float2(first[0], first[1]);
  }

 private:
  // tile[k, i], zeros outside. Neighbouring threads read along the contiguous dimension.
  template <class T>
  __device__ static void load(float* tile, const StridedOperand<T>& x, int64_t valid, int64_t k0, int64_t K) {
    const bool k_major = x.k_stride == 1;
    for (int index = threadIdx.x; index < rows * block_k; index += threads) {
      const int i = k_major ? index / block_k : index % rows, k = k_major ? index % block_k : index / rows;
      const bool inside = i < valid && k0 + k < K;
      tile[k * ld + i] = inside ? to_float(x.data[i * x.mn_stride + (k0 + k) * x.k_stride]) : 0.0f;
    }
  }
};

// The f32 tile with operands as lines, like MmaGemm's.
template <bool a_k_major, bool b_k_major_>
struct SimtGemm : SimtTile<float, float> {
  using Element = float;
  static constexpr bool b_k_major = b_k_major_;

  __device__ explicit SimtGemm(void* memory) : SimtTile(memory) {}
  __device__ void run(Operand<float> a, Operand<float> b, int64_t valid_rows, int64_t valid_cols, int64_t K) {
    SimtTile::run({a.data, a_k_major ? a.stride : 1, a_k_major ? 1 : a.stride},
                  {b.data, b_k_major ? b.stride : 1, b_k_major ? 1 : b.stride}, valid_rows, valid_cols, K);
  }
};

}  // namespace fathom::cuda
