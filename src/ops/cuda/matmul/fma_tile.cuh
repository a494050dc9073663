// One block's 64 x 64 tile of a product of f32 matrices in true f32: 4 x 4 elements a thread. The same calls
// as MmaTile's.
#pragma once
#include "ops/cuda/grouped_tile.cuh"

namespace fathom::cuda {

template <bool a_along_depth, bool b_along>
struct FmaTile {
  using Element = float;
  static constexpr bool b_along_depth = b_along;
  static constexpr int rows = 64, cols = 64, threads = 256, depth_step = 16, mine = 4;
  static constexpr int ld = rows + 4;
  static constexpr size_t shared_bytes = 2 * depth_step * ld * sizeof(float);

  float sums[mine][mine] = {};
  float *a_tile, *b_tile;  // [depth_step, ld], across the depth

  __device__ explicit FmaTile(void* memory)
      : a_tile(static_cast<float*>(memory)), b_tile(a_tile + depth_step * ld) {}

  __device__ void run(Operand<float> a, Operand<float> b, int64_t valid_rows, int64_t valid_cols,
                      int64_t depth) {
    for (int64_t done = 0; done < depth; done += depth_step) {
      load<a_along_depth>(a_tile, a, valid_rows, done, depth);
      load<b_along_depth>(b_tile, b, valid_cols, done, depth);
      __syncthreads();
      for (int k = 0; k < depth_step; ++k) {
        float x[mine], y[mine];
        for (int i = 0; i < mine; ++i) x[i] = a_tile[k * ld + row_of(i)], y[i] = b_tile[k * ld + col_of(i)];
        for (int i = 0; i < mine; ++i)
          for (int j = 0; j < mine; ++j) sums[i][j] += x[i] * y[j];
      }
      __syncthreads();
    }
  }

  // What this thread holds: pairs of neighbouring elements of a row.
  static constexpr int pairs = mine * mine / 2;
  __device__ int row(int p) const { return row_of(p / (mine / 2)); }
  __device__ int col(int p) const { return col_of(p % (mine / 2) * 2); }
  __device__ float2 pair(int p) const {
    const float* first = sums[p / (mine / 2)] + p % (mine / 2) * 2;
    return make_float2(first[0], first[1]);
  }

 private:
  __device__ static int row_of(int i) { return threadIdx.x / 16 + 16 * i; }
  __device__ static int col_of(int j) { return threadIdx.x % 16 * 2 + j % 2 + 32 * (j / 2); }

  template <bool along_depth>
  __device__ static void load(float* tile, Operand<float> from, int64_t valid, int64_t done, int64_t depth) {
    for (int i = threadIdx.x; i < depth_step * rows; i += blockDim.x) {
      const int k = along_depth ? i % depth_step : i / rows, line = along_depth ? i / depth_step : i % rows;
      const bool inside = line < valid && done + k < depth;
      const int64_t at = along_depth ? line * from.stride + done + k : (done + k) * from.stride + line;
      tile[k * ld + line] = inside ? from.data[at] : 0;
    }
  }
};

}  // namespace fathom::cuda
