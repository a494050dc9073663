// A block's tile of a product of bf16 matrices with mma.sync, f32 accumulation: cp.async loads the operands
// into the stages of a shared memory pipeline. Each operand may be K-major or MN-major.
#pragma once
#include "ops/cuda/matmul/mma.cuh"
#include "ops/cuda/matmul/operand.cuh"

namespace fathom::cuda {

constexpr int mma_block_k = 32, mma_gemm_threads = 256;

// Loads `lines` lines of `length` elements; zeros outside the valid ones. aligned: 16 bytes at a time with
// cp.async.
template <int lines, int length, bool aligned>
__device__ void cp_async_lines(const SmemTile<length>& shared, Operand<Bf16> from, int64_t valid_lines,
                               int64_t valid_length) {
  constexpr int chunk = aligned ? 8 : 1, per_line = length / chunk;
  for (int i = threadIdx.x; i < lines * per_line; i += mma_gemm_threads) {
    const int line = i / per_line, at = i % per_line * chunk;
    const bool valid = line < valid_lines && at < valid_length;
    Bf16* to = shared.at(line, at);
    if constexpr (aligned)
      __pipeline_memcpy_async(to, valid ? from.data + line * from.stride + at : from.data, 16,
                              valid ? 0 : 16);
    else
      *to = valid ? from.data[line * from.stride + at] : Bf16(0.0f);
  }
}

// A tile of rows x 128 of C, with rows 128 or 16.
template <int tile_rows, bool a_k_major, bool b_k_major_, bool aligned>
struct MmaGemm {
  using Element = Bf16;
  static constexpr bool b_k_major = b_k_major_;
  static constexpr int rows = tile_rows, cols = 128, threads = mma_gemm_threads;
  // With few rows a stage has little work, so more loads must be in flight.
  static constexpr int stages = rows >= 128 ? 4 : 8;
  static constexpr int warps_down = rows >= 128 ? 4 : 1, warps_across = 8 / warps_down;
  static constexpr int warp_rows = rows / warps_down, warp_cols = cols / warps_across;
  static constexpr int a_lines = a_k_major ? rows : mma_block_k, b_lines = b_k_major ? cols : mma_block_k;
  using A = SmemTile<a_k_major ? mma_block_k : rows>;
  using B = SmemTile<b_k_major ? mma_block_k : cols>;
  static constexpr int stage_size = a_lines * A::ld + b_lines * B::ld;
  static constexpr size_t shared_bytes = stages * stage_size * sizeof(Bf16);

  float sums[warp_rows / 16][warp_cols / 8][4] = {};
  Bf16* shared;
  const int lane = threadIdx.x % warp_size, first_row = threadIdx.x / warp_size / warps_across * warp_rows,
            first_col = threadIdx.x / warp_size % warps_across * warp_cols;

  __device__ explicit MmaGemm(void* memory) : shared(static_cast<Bf16*>(memory)) {}

  // a and b point at the tile's first row and column; valid_*: how many of them there are.
  __device__ void run(Operand<Bf16> a, Operand<Bf16> b, int64_t valid_rows, int64_t valid_cols, int64_t K) {
    const int64_t steps = (K + mma_block_k - 1) / mma_block_k;
    for (int s = 0; s < stages - 1; ++s) load(a, b, valid_rows, valid_cols, K, s);
    for (int64_t step = 0; step < steps; ++step) {
      __pipeline_wait_prior(stages - 2);
      __syncthreads();
      load(a, b, valid_rows, valid_cols, K, step + stages - 1);
      mma_stage(static_cast<int>(step % stages));
    }
  }

  // This thread's results: pairs of neighbouring elements of a row.
  static constexpr int across = warp_cols / 8, pairs = warp_rows / 16 * across * 2;
  __device__ int row(int p) const { return first_row + p / 2 / across * 16 + p % 2 * 8 + lane / 4; }
  __device__ int col(int p) const { return first_col + p / 2 % across * 8 + lane % 4 * 2; }
  __device__ float2 pair(int p) const {
    const float(&quad)[4] = sums[p / 2 / across][p / 2 % across];
    return make_float2(quad[p % 2 * 2], quad[p % 2 * 2 + 1]);
  }

 private:
  __device__ A a_tile(int stage) const { return {shared + stage * stage_size}; }
  __device__ B b_tile(int stage) const { return {shared + stage * stage_size + a_lines * A::ld}; }

  __device__ void load(Operand<Bf16> a, Operand<Bf16> b, int64_t valid_rows, int64_t valid_cols, int64_t K,
                       int64_t step) const {
    const int64_t done = step * mma_block_k, left = K - done;
    const int stage = static_cast<int>(step % stages);
    if (left > 0) {
      if constexpr (a_k_major)
        cp_async_lines<a_lines, mma_block_k, aligned>(a_tile(stage), {a.data + done, a.stride}, valid_rows,
                                                      left);
      else
        cp_async_lines<a_lines, rows, aligned>(a_tile(stage), {a.data + done * a.stride, a.stride}, left,
                                               valid_rows);
      if constexpr (b_k_major)
        cp_async_lines<b_lines, mma_block_k, aligned>(b_tile(stage), {b.data + done, b.stride}, valid_cols,
                                                      left);
      else
        cp_async_lines<b_lines, cols, aligned>(b_tile(stage), {b.data + done * b.stride, b.stride}, left,
                                               valid_cols);
    }
    __pipeline_commit();
  }

  __device__ void mma_stage(int stage) {
    const A a = a_tile(stage);
    const B b = b_tile(stage);
#pragma unroll
    for (int k = 0; k < mma_block_k; k += 16) {
      Fragment left[warp_rows / 16];
#pragma unroll
      for (int i = 0; i < warp_rows / 16; ++i)
        left[i] = a_k_major ? a.a_fragment(first_row + i * 16, k, lane)
                            : a.a_fragment_trans(k, first_row + i * 16, lane);
#pragma unroll
      for (int j = 0; j < warp_cols / 8; j += 2) {
        const Fragment right = b_k_major ? b.b_fragments(first_col + j * 8, k, lane)
                                         : b.b_fragments_trans(k, first_col + j * 8, lane);
#pragma unroll
        for (int i = 0; i < warp_rows / 16; ++i) {
          mma_m16n8k16(sums[i][j], left[i], right.r[0], right.r[1]);
          mma_m16n8k16(sums[i][j + 1], left[i], right.r[2], right.r[3]);
        }
      }
    }
  }
};

}  // namespace fathom::cuda
