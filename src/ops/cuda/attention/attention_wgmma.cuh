// Attention on Hopper's tensor cores, for heads of DeepSeek-V2's size: 192 columns of keys, 128 of values. A
// block stays with 128 rows of one head, a warpgroup with 64 of them, and goes over tiles of the other side's
// rows, which one more warp copies ahead (as in FlashAttention-3, Shah et al. 2024).
#pragma once
#include "ops/cuda/attention/attention_fragments.cuh"
#include "ops/cuda/hopper/box_copy.cuh"

namespace fathom::cuda {

constexpr int wide_k = 192, wide_v = 128;  // columns
constexpr int block_rows = 128;            // of the side a block stays with
constexpr int map_rows = 64;               // of the boxes that are copied

// The inputs as the copy engine wants them described: heads are matrices, tokens their rows.
struct AttentionMaps {
  CUtensorMap q, kv, k_rope, dout;
};
inline CUtensorMap map_heads(const Tensor& t) {
  const int64_t heads = t.shape[1];
  return box_map({.dtype = DType::bf16,
                  .data = t.data,
                  .rows = t.shape[0],
                  .cols = t.cols(),
                  .row_stride = heads * t.row_stride,
                  .count = heads,
                  .matrix_stride = t.row_stride},
                 map_rows);
}
inline CUtensorMap map_rows_of(const Tensor& t) {
  return box_map(
      {.dtype = DType::bf16, .data = t.data, .rows = t.rows(), .cols = t.cols(), .row_stride = t.row_stride},
      map_rows);
}

// Whether the heads are of this size, and rows can be copied 16 bytes at a time, on a GPU that has the
// instruction.
template <class Args>
bool suits_wgmma(const Device& device, const Args& a) {
  return has_wgmma(device) && inputs_fit(a) && a.q.cols() == wide_k && a.out.cols() == wide_v &&
         a.k_rope.cols() % box_width == 0;
}

// Rows the block stays with and, in turns, tiles of `rows` of the other side: their key-wide part (queries or
// keys) and their value-wide part (values or douts).
template <int rows, int stages_, bool threads_share = false>
struct TileMemory {
  static constexpr int tile_rows = rows, stages = stages_;
  Bf16 block_k[block_rows * wide_k];
  Bf16 tile_k[stages][tile_rows * wide_k];
  Bf16 tile_v[stages][tile_rows * wide_v];
  Gate block;
  Gates<stages, threads_share> gates;

  // Rows past the end of a sequence are of the next one: zeros instead. Called by all multiplying threads.
  __device__ void clear_rows(int stage, int64_t valid) {
    clear_lines<tile_rows>(tile_k[stage], tile_rows * wide_k, valid);
    clear_lines<tile_rows>(tile_v[stage], tile_rows * wide_v, valid);
    wait_for_cleared();
  }
};

template <class Memory, class Copy, class Multiply>
__device__ void attend(Memory& m, const Copy& copy, const Multiply& multiply) {
  share_work<240, 24>([&] { m.block.init(1), m.gates.init(); }, copy, multiply);
}

// Rows from `first` on, by one thread, into boxes of `rows` lines; their bytes were announced at the gate.
template <int rows>
__device__ void copy_columns(Gate& gate, Bf16* to, const CUtensorMap& map, int column, int columns,
                             int64_t first, int matrix) {
  for (int c = 0; c < columns; c += box_width)
    for (int line = 0; line < rows; line += map_rows)
      gate.copy_box(to + (c * rows + line * box_width), map, column + c, first + line, matrix);
}
template <int rows>
__device__ void copy_queries(Gate& gate, Bf16* to, const AttentionMaps& maps, int64_t first, int h) {
  copy_columns<rows>(gate, to, maps.q, 0, wide_k, first, h);
}
template <int rows>
__device__ void copy_douts(Gate& gate, Bf16* to, const AttentionMaps& maps, int64_t first, int h) {
  copy_columns<rows>(gate, to, maps.dout, 0, wide_v, first, h);
}
template <int rows>
__device__ void copy_keys(Gate& gate, Bf16* to, const AttentionMaps& maps, int Dn, int64_t first, int h) {
  copy_columns<rows>(gate, to, maps.kv, 0, Dn, first, h);
  copy_columns<rows>(gate, to + Dn * rows, maps.k_rope, 0, wide_k - Dn, first, 0);
}
template <int rows>
__device__ void copy_values(Gate& gate, Bf16* to, const AttentionMaps& maps, int Dn, int64_t first, int h) {
  copy_columns<rows>(gate, to, maps.kv, Dn, wide_v, first, h);
}
constexpr int row_bytes_k = wide_k * sizeof(Bf16), row_bytes_v = wide_v * sizeof(Bf16);

// Keys and values from row `first` on, tile after tile, as the stages become free; by one thread.
template <class Memory>
__device__ void copy_key_tiles(Memory& m, Turn<Memory::stages>& turn, const AttentionMaps& maps, int Dn,
                               int64_t first, int64_t tiles, int h) {
  constexpr int rows = Memory::tile_rows;
  for (int64_t j = 0; j < tiles; ++j, turn.next()) {
    const int64_t key = first + j * rows;
    Gate& full = m.gates.full[turn.stage];
    m.gates.empty[turn.stage].wait(turn.parity ^ 1);
    full.arrive_and_expect(rows * (row_bytes_k + row_bytes_v));
    copy_keys<rows>(full, m.tile_k[turn.stage], maps, Dn, key, h);
    copy_values<rows>(full, m.tile_v[turn.stage], maps, Dn, key, h);
  }
}

// scores = the warpgroup's 64 of the block's rows times the tile's rows, over `width` columns of both.
template <int width, int eighths>
__device__ void score(float (&scores)[eighths][4], const Bf16* block, const Bf16* tile) {
  const int warpgroup = threadIdx.x / warpgroup_size;
  const BoxOperand left = BoxOperand::along_depth(block + warpgroup * (block_rows / 2) * box_width),
                   right = BoxOperand::along_depth(tile);
#pragma unroll
  for (int k = 0; k < width; k += 16)
    multiply<false, false>(scores, left + step_along(k, block_rows), right + step_along(k, 8 * eighths),
                           k > 0);
}

// Weights or their gradients, rounded to be a left operand of so many rows' depth.
template <int tile_rows>
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
template <int columns, int tile_rows>
__device__ void add_product(float (&out)[columns][4], const LeftRows<tile_rows>& p, const Bf16* tile) {
  const BoxOperand right = BoxOperand::across_depth(tile, tile_rows);
#pragma unroll
  for (int k = 0; k < tile_rows; k += 16) multiply<true>(out, p.part[k / 16], right + step_across(k));
}

}  // namespace fathom::cuda
