// Attention on Hopper's tensor cores, for heads of DeepSeek-V2's size: 192 columns of keys, 128 of values. A
// block stays with 128 rows of one head, a warpgroup with 64 of them, and goes over tiles of 64 rows of the
// other side, some of which are always on their way.
#pragma once
#include "ops/cuda/attention_fragments.cuh"
#include "ops/cuda/wgmma.cuh"

namespace fathom::cuda {

constexpr int wide_k = 192, wide_v = 128;        // columns
constexpr int block_rows = 128, tile_rows = 64;  // of the side a block stays with, and of the other's tiles
constexpr int wgmma_threads = 2 * warpgroup_size;

// Sizes in elements.
constexpr int block_k_size = block_rows * wide_k, block_v_size = block_rows * wide_v;
constexpr int tile_k_size = tile_rows * wide_k, tile_v_size = tile_rows * wide_v;

// Rows the block stays with and `stages` tiles of the other side: their key-wide part (queries or keys), then
// their value-wide part (values or douts). The forward pass has no value-wide part of its own.
template <int stages, bool with_block_v>
struct BlockMemory {
  Bf16* boxes;
  static constexpr int block_size = block_k_size + (with_block_v ? block_v_size : 0);
  static constexpr size_t bytes =
      (block_size + stages * (tile_k_size + tile_v_size)) * sizeof(Bf16) + box_alignment;

  __device__ explicit BlockMemory(void* shared) : boxes(first_box(shared)) {}
  __device__ Bf16* block_k() const { return boxes; }
  __device__ Bf16* block_v() const { return boxes + block_k_size; }
  __device__ Bf16* tile_k(int64_t j) const {
    return boxes + block_size + j % stages * (tile_k_size + tile_v_size);
  }
  __device__ Bf16* tile_v(int64_t j) const { return tile_k(j) + tile_k_size; }
  __device__ float* after() const {
    return reinterpret_cast<float*>(boxes + block_size + stages * (tile_k_size + tile_v_size));
  }
};

// Whether the heads are of this size, and rows can be copied 16 bytes at a time, on a GPU that has the
// instruction.
template <class Args>
bool suits_wgmma(const Device& device, const Args& a) {
  return has_wgmma(device) && inputs_fit(a) && a.q.cols() == wide_k && a.out.cols() == wide_v;
}

template <int rows>
__device__ void copy_queries(Bf16* to, const MmaInputs& in, int64_t first, int64_t valid, int h) {
  copy_to_boxes<rows, wide_k, wgmma_threads>(to, valid, wide_k,
                                             [&](int r, int c) { return in.query(first + r, h) + c; });
}
template <int rows>
__device__ void copy_keys(Bf16* to, const MmaInputs& in, int64_t first, int64_t valid, int h) {
  copy_to_boxes<rows, wide_k, wgmma_threads>(to, valid, wide_k, [&](int r, int c) {
    return c < in.Dn ? in.key_value(first + r, h) + c : in.k_rope + (first + r) * in.rope_stride + c - in.Dn;
  });
}
template <int rows>
__device__ void copy_values(Bf16* to, const MmaInputs& in, int64_t first, int64_t valid, int h) {
  copy_to_boxes<rows, wide_v, wgmma_threads>(
      to, valid, wide_v, [&](int r, int c) { return in.key_value(first + r, h) + in.Dn + c; });
}

// scores = the warpgroup's 64 of the block's rows times the tile's rows, over `width` columns of both.
template <int width>
__device__ void score(float (&scores)[tile_rows / 8][4], const Bf16* block, const Bf16* tile) {
  const int warpgroup = threadIdx.x / warpgroup_size;
  const BoxOperand left = BoxOperand::along_depth(block + warpgroup * (block_rows / 2) * box_width),
                   right = BoxOperand::along_depth(tile);
#pragma unroll
  for (int k = 0; k < width; k += 16)
    multiply<false, false>(scores, left + step_along(k, block_rows), right + step_along(k, tile_rows), k > 0);
}

// Weights or their gradients, rounded to be a left operand.
struct LeftRows {
  Fragment4 part[tile_rows / 16];

  __device__ void take(const float (&p)[tile_rows / 8][4]) {
#pragma unroll
    for (int k = 0; k < tile_rows / 16; ++k) part[k] = as_left(p[2 * k], p[2 * k + 1]);
  }
  // Element i of columns 8 n and on, as it was rounded.
  __device__ float operator()(int n, int i) const {
    const uint32_t pair = part[n / 2].r[n % 2 * 2 + i / 2];
    return __uint_as_float(i % 2 ? pair & 0xffff0000u : pair << 16);
  }
};

// out += p times the tile's rows.
template <int columns>
__device__ void add_product(float (&out)[columns][4], const LeftRows& p, const Bf16* tile) {
  const BoxOperand right = BoxOperand::across_depth(tile, tile_rows);
#pragma unroll
  for (int k = 0; k < tile_rows; k += 16) multiply<true>(out, p.part[k / 16], right + step_across(k));
}

}  // namespace fathom::cuda
