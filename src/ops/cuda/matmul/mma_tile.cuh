// One block's tile of a product of bf16 matrices on the tensor cores, f32 sums: operands come in a pipeline
// of shared memory stages. Both may lie either way: contiguous along the depth, or across it.
#pragma once
#include "ops/cuda/grouped_tile.cuh"
#include "ops/cuda/matmul/mma.cuh"

namespace fathom::cuda {

constexpr int tile_depth = 32, tile_threads = 256;

// `lines` lines of `length` contiguous elements into shared memory; past the valid ones zeros.
template <int lines, int length, bool aligned>
__device__ void load_lines(const Tile<length>& shared, Operand<Bf16> from, int64_t valid_lines,
                           int64_t valid_length) {
  constexpr int chunk = aligned ? 8 : 1, per_line = length / chunk;
  for (int i = threadIdx.x; i < lines * per_line; i += tile_threads) {
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

// rows x 128 of C, rows 128 or 16. along_depth: the operand's lines run along the depth (else across).
template <int tile_rows, bool a_along_depth, bool b_along, bool aligned>
struct MmaTile {
  using Element = Bf16;
  static constexpr bool b_along_depth = b_along;
  static constexpr int rows = tile_rows, cols = 128, threads = tile_threads;
  // Few rows do little with a stage: more of them must be on their way.
  static constexpr int stages = rows >= 128 ? 4 : 8;
  static constexpr int warps_down = rows >= 128 ? 4 : 1, warps_across = 8 / warps_down;
  static constexpr int warp_rows = rows / warps_down, warp_cols = cols / warps_across;
  static constexpr int a_lines = a_along_depth ? rows : tile_depth,
                       b_lines = b_along_depth ? cols : tile_depth;
  using A = Tile<a_along_depth ? tile_depth : rows>;
  using B = Tile<b_along_depth ? tile_depth : cols>;
  static constexpr int stage_size = a_lines * A::ld + b_lines * B::ld;
  static constexpr size_t shared_bytes = stages * stage_size * sizeof(Bf16);

  float sums[warp_rows / 16][warp_cols / 8][4] = {};
  Bf16* shared;
  const int lane = threadIdx.x % warp_size, first_row = threadIdx.x / warp_size / warps_across * warp_rows,
            first_col = threadIdx.x / warp_size % warps_across * warp_cols;

  __device__ explicit MmaTile(void* memory) : shared(static_cast<Bf16*>(memory)) {}

  // a and b point at the tile's first element; valid_*: what there is of the tile.
  __device__ void run(Operand<Bf16> a, Operand<Bf16> b, int64_t valid_rows, int64_t valid_cols,
                      int64_t depth) {
    const int64_t steps = (depth + tile_depth - 1) / tile_depth;
    for (int s = 0; s < stages - 1; ++s) load(a, b, valid_rows, valid_cols, depth, s);
    for (int64_t step = 0; step < steps; ++step) {
      __pipeline_wait_prior(stages - 2);
      __syncthreads();
      load(a, b, valid_rows, valid_cols, depth, step + stages - 1);
      multiply_stage(static_cast<int>(step % stages));
    }
  }

  // What this thread holds: pairs of neighbouring elements of a row.
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

  __device__ void load(Operand<Bf16> a, Operand<Bf16> b, int64_t valid_rows, int64_t valid_cols,
                       int64_t depth, int64_t step) const {
    const int64_t done = step * tile_depth, left = depth - done;
    const int stage = static_cast<int>(step % stages);
    if (left > 0) {
      if constexpr (a_along_depth)
        load_lines<a_lines, tile_depth, aligned>(a_tile(stage), {a.data + done, a.stride}, valid_rows, left);
      else
        load_lines<a_lines, rows, aligned>(a_tile(stage), {a.data + done * a.stride, a.stride}, left,
                                           valid_rows);
      if constexpr (b_along_depth)
        load_lines<b_lines, tile_depth, aligned>(b_tile(stage), {b.data + done, b.stride}, valid_cols, left);
      else
        load_lines<b_lines, cols, aligned>(b_tile(stage), {b.data + done * b.stride, b.stride}, left,
                                           valid_cols);
    }
    __pipeline_commit();
  }

  __device__ void multiply_stage(int stage) {
    const A a = a_tile(stage);
    const B b = b_tile(stage);
#pragma unroll
    for (int k = 0; k < tile_depth; k += 16) {
      Fragment4 left[warp_rows / 16];
#pragma unroll
      for (int i = 0; i < warp_rows / 16; ++i)
        left[i] = a_along_depth ? a.left(first_row + i * 16, k, lane)
                                : a.left_of_columns(k, first_row + i * 16, lane);
#pragma unroll
      for (int j = 0; j < warp_cols / 8; j += 2) {
        const Fragment4 right = b_along_depth ? b.right_of_rows(first_col + j * 8, k, lane)
                                              : b.right_of_columns(k, first_col + j * 8, lane);
#pragma unroll
        for (int i = 0; i < warp_rows / 16; ++i) {
          multiply(sums[i][j], left[i], right.r[0], right.r[1]);
          multiply(sums[i][j + 1], left[i], right.r[2], right.r[3]);
        }
      }
    }
  }
};

}  // namespace fathom::cuda
