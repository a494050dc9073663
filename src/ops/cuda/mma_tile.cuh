// One block's tile of a product of bf16 matrices on the tensor cores, f32 sums: operands come in a pipeline
// of shared memory stages. Both may lie either way: contiguous along the depth, or across it.
#pragma once
#include <cuda_pipeline.h>
#include <mma.h>

#include "ops/cuda/grouped_tile.cuh"

namespace fathom::cuda {

namespace wmma = nvcuda::wmma;

constexpr int tile_depth = 64, tile_cols = 128, tile_stages = 3, tile_threads = 256;
constexpr int fragment = 16;

// `lines` lines of `length` contiguous elements into shared memory; past the valid ones zeros.
template <int lines, int length, bool aligned>
__device__ void load_lines(__nv_bfloat16* shared, Operand<__nv_bfloat16> from, int64_t valid_lines,
                           int64_t valid_length) {
  constexpr int ld = length + 8, chunk = aligned ? 8 : 1, per_line = length / chunk;
  for (int i = threadIdx.x; i < lines * per_line; i += tile_threads) {
    const int line = i / per_line, at = i % per_line * chunk;
    const bool valid = line < valid_lines && at < valid_length;
    __nv_bfloat16* to = shared + line * ld + at;
    if constexpr (aligned)
      __pipeline_memcpy_async(to, valid ? from.data + line * from.stride + at : from.data, 16,
                              valid ? 0 : 16);
    else
      *to = valid ? from.data[line * from.stride + at] : __nv_bfloat16(0.0f);
  }
}

// rows x 128 of C. along_depth: the operand's lines run along the depth (else across).
template <int rows, bool a_along_depth, bool b_along_depth, bool aligned>
struct MmaTile {
  static constexpr int cols = tile_cols;
  static constexpr int warps_down = rows >= 128 ? 4 : 1, warps_across = 8 / warps_down;
  static constexpr int down = rows / warps_down / fragment, across = tile_cols / warps_across / fragment;
  static constexpr int a_ld = (a_along_depth ? tile_depth : rows) + 8,
                       b_ld = (b_along_depth ? tile_depth : tile_cols) + 8;
  static constexpr int a_size = (a_along_depth ? rows : tile_depth) * a_ld,
                       b_size = (b_along_depth ? tile_cols : tile_depth) * b_ld;
  static constexpr size_t shared_bytes = tile_stages * (a_size + b_size) * sizeof(__nv_bfloat16);
  static_assert(shared_bytes >= 8 * fragment * fragment * sizeof(float));

  using A = wmma::fragment<wmma::matrix_a, fragment, fragment, fragment, __nv_bfloat16,
                           std::conditional_t<a_along_depth, wmma::row_major, wmma::col_major>>;
  using B = wmma::fragment<wmma::matrix_b, fragment, fragment, fragment, __nv_bfloat16,
                           std::conditional_t<b_along_depth, wmma::col_major, wmma::row_major>>;
  using C = wmma::fragment<wmma::accumulator, fragment, fragment, fragment, float>;

  C sums[down][across];
  __nv_bfloat16* shared;

  __device__ explicit MmaTile(void* memory) : shared(static_cast<__nv_bfloat16*>(memory)) {
    for (int i = 0; i < down; ++i)
      for (int j = 0; j < across; ++j) wmma::fill_fragment(sums[i][j], 0.0f);
  }

  // a and b point at the tile's first element; valid_*: what there is of the tile.
  __device__ void run(Operand<__nv_bfloat16> a, Operand<__nv_bfloat16> b, int64_t valid_rows,
                      int64_t valid_cols, int64_t depth) {
    const int64_t steps = (depth + tile_depth - 1) / tile_depth;
    for (int s = 0; s < tile_stages - 1; ++s) load(a, b, valid_rows, valid_cols, depth, s);
    for (int64_t step = 0; step < steps; ++step) {
      __pipeline_wait_prior(tile_stages - 2);
      __syncthreads();
      load(a, b, valid_rows, valid_cols, depth, step + tile_stages - 1);
      multiply(step % tile_stages);
    }
    __pipeline_wait_prior(0);
    __syncthreads();
  }

  // write(row, col, value) for every element of the tile.
  template <class Write>
  __device__ void store(const Write& write) {
    const int warp = threadIdx.x / warp_size, lane = threadIdx.x % warp_size;
    float* stage = reinterpret_cast<float*>(shared) + warp * fragment * fragment;
    for (int i = 0; i < down; ++i)
      for (int j = 0; j < across; ++j) {
        wmma::store_matrix_sync(stage, sums[i][j], fragment, wmma::mem_row_major);
        __syncwarp();
        for (int at = lane; at < fragment * fragment; at += warp_size)
          write(first_row(warp) + i * fragment + at / fragment,
                first_col(warp) + j * fragment + at % fragment, stage[at]);
        __syncwarp();
      }
  }

 private:
  __device__ static int first_row(int warp) { return warp / warps_across * down * fragment; }
  __device__ static int first_col(int warp) { return warp % warps_across * across * fragment; }

  __device__ void load(Operand<__nv_bfloat16> a, Operand<__nv_bfloat16> b, int64_t valid_rows,
                       int64_t valid_cols, int64_t depth, int64_t step) {
    const int64_t done = step * tile_depth, left = depth - done;
    if (left > 0) {
      __nv_bfloat16 *to_a = shared + step % tile_stages * (a_size + b_size), *to_b = to_a + a_size;
      if constexpr (a_along_depth)
        load_lines<rows, tile_depth, aligned>(to_a, {a.data + done, a.stride}, valid_rows, left);
      else
        load_lines<tile_depth, rows, aligned>(to_a, {a.data + done * a.stride, a.stride}, left, valid_rows);
      if constexpr (b_along_depth)
        load_lines<tile_cols, tile_depth, aligned>(to_b, {b.data + done, b.stride}, valid_cols, left);
      else
        load_lines<tile_depth, tile_cols, aligned>(to_b, {b.data + done * b.stride, b.stride}, left,
                                                   valid_cols);
    }
    __pipeline_commit();
  }

  __device__ void multiply(int64_t stage) {
    const __nv_bfloat16 *from_a = shared + stage * (a_size + b_size), *from_b = from_a + a_size;
    const int warp = threadIdx.x / warp_size;
    for (int k = 0; k < tile_depth; k += fragment) {
      A a[down];
      for (int i = 0; i < down; ++i) {
        const int row = first_row(warp) + i * fragment;
        wmma::load_matrix_sync(a[i], from_a + (a_along_depth ? row * a_ld + k : k * a_ld + row), a_ld);
      }
      for (int j = 0; j < across; ++j) {
        const int col = first_col(warp) + j * fragment;
        B b;
        wmma::load_matrix_sync(b, from_b + (b_along_depth ? col * b_ld + k : k * b_ld + col), b_ld);
        for (int i = 0; i < down; ++i) wmma::mma_sync(sums[i][j], a[i], b, sums[i][j]);
      }
    }
  }
};

}  // namespace fathom::cuda
