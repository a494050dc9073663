// One block's tile of a product of bf16 matrices by Hopper's warpgroup instruction, f32 sums: 128 x 256, the
// upper half by one warpgroup and the lower by the other. The same calls as MmaTile's, for operands in whole
// vectors.
#pragma once
#include "ops/cuda/grouped_tile.cuh"
#include "ops/cuda/wgmma.cuh"

namespace fathom::cuda {

template <bool a_along_depth, bool b_along>
struct WgmmaTile {
  using Element = Bf16;
  static constexpr bool b_along_depth = b_along;
  static constexpr int rows = 128, cols = 256, threads = 2 * warpgroup_size;
  static constexpr int depth_step = box_width, stages = 4;
  static constexpr int ahead = 2;
  static constexpr int a_elements = rows * depth_step, b_elements = cols * depth_step;
  static constexpr size_t shared_bytes = stages * (a_elements + b_elements) * sizeof(Bf16) + box_alignment;

  float sums[cols / 8][4] = {};
  Bf16* shared;
  const int warpgroup = threadIdx.x / warpgroup_size;

  __device__ explicit WgmmaTile(void* memory) : shared(first_box(memory)) {}

  // a and b point at the tile's first element; valid_*: what there is of the tile.
  __device__ void run(Operand<Bf16> a, Operand<Bf16> b, int64_t valid_rows, int64_t valid_cols,
                      int64_t depth) {
    if constexpr (wgmma_here) pipeline(a, b, valid_rows, valid_cols, depth);
  }

  // What this thread holds: pairs of neighbouring elements of a row.
  static constexpr int pairs = cols / 4;
  __device__ int row(int p) const {
    return threadIdx.x / warp_size * 16 + threadIdx.x % warp_size / 4 + p % 2 * 8;
  }
  __device__ int col(int p) const { return p / 2 * 8 + threadIdx.x % 4 * 2; }
  __device__ float2 pair(int p) const {
    return make_float2(sums[p / 2][p % 2 * 2], sums[p / 2][p % 2 * 2 + 1]);
  }

 private:
  __device__ void pipeline(Operand<Bf16> a, Operand<Bf16> b, int64_t valid_rows, int64_t valid_cols,
                           int64_t depth) {
    const int64_t steps = (depth + depth_step - 1) / depth_step;
    const auto load = [&](int64_t step) {
      const int64_t done = step * depth_step;
      Bf16* stage = stage_of(step);
      load_operand<rows, a_along_depth>(stage, a, valid_rows, done, depth);
      load_operand<cols, b_along_depth>(stage + a_elements, b, valid_cols, done, depth);
      __pipeline_commit();
    };
    for (int64_t step = 0; step < ahead; ++step) load(step);
    for (int64_t step = 0; step < steps; ++step) {
      __pipeline_wait_prior(ahead - 1);
      publish_boxes();
      __syncthreads();
      multiply_stage(stage_of(step));
      load(step + ahead);  // all are past the products that read this stage last
      products_wait<stages - ahead - 1>();
    }
    products_wait<0>();
    products_written(sums);
  }

  __device__ Bf16* stage_of(int64_t step) const { return shared + step % stages * (a_elements + b_elements); }

  // width: of the tile across the depth.
  template <int width, bool along_depth>
  __device__ static void load_operand(Bf16* boxes, Operand<Bf16> from, int64_t valid, int64_t done,
                                      int64_t depth) {
    const int64_t left = depth - done;
    if (left <= 0) return;
    if constexpr (along_depth)
      copy_to_boxes<width, depth_step, threads>(
          boxes, valid, left, [&](int line, int c) { return from.data + line * from.stride + done + c; });
    else
      copy_to_boxes<depth_step, width, threads>(
          boxes, left, valid, [&](int line, int c) { return from.data + (done + line) * from.stride + c; });
  }

  __device__ void multiply_stage(const Bf16* stage) {
    const Bf16 *a = stage + warpgroup * (a_elements / 2), *b = stage + a_elements;
    const BoxOperand left =
                         a_along_depth ? BoxOperand::along_depth(a) : BoxOperand::across_depth(a, depth_step),
                     right =
                         b_along_depth ? BoxOperand::along_depth(b) : BoxOperand::across_depth(b, depth_step);
    products_begin();
#pragma unroll
    for (int k = 0; k < depth_step; k += 16)
      multiply<!a_along_depth, !b_along_depth>(
          sums, left + (a_along_depth ? step_along(k, rows) : step_across(k)),
          right + (b_along_depth ? step_along(k, cols) : step_across(k)), true);
    products_commit();
  }
};

}  // namespace fathom::cuda
