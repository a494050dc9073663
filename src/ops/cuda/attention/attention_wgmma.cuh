// Attention with wgmma in the manner of FlashAttention-3 (Shah et al. 2024), for DeepSeek-V2's head sizes,
// 192 for queries and keys and 128 for values, and for grouped-query attention's 128. A block owns 128 rows
// of one head (queries, or keys in the backward pass), each consumer warpgroup 64 of them, and iterates over
// tiles of the other side, which the producer warp loads ahead.
#pragma once
#include "ops/cuda/attention/attention_fragments.cuh"
#include "ops/cuda/hopper/pipeline.cuh"

namespace fathom::cuda {

// The columns of a query or key and of a value, and the bytes of such rows.
template <int k_, int v_>
struct WgmmaHead {
  static constexpr int k = k_, v = v_;
  static constexpr int k_bytes = k * sizeof(Bf16), v_bytes = v * sizeof(Bf16);
};
static_assert(wgmma_rope_multiple == swizzle_width);
constexpr int block_rows = 128;  // rows that a block owns
constexpr int box_rows = 64;     // of a TMA box

// Tensor maps of the inputs: heads are matrices, tokens their rows.
struct AttentionTensorMaps {
  CUtensorMap q, kv, k_rope, dout;
};
inline CUtensorMap tensor_map_of_heads(const Tensor& t) {
  const int64_t heads = t.shape[1];
  return make_tensor_map({.dtype = DType::bf16,
                          .data = t.data,
                          .rows = t.shape[0],
                          .cols = t.cols(),
                          .row_stride = heads * t.row_stride,
                          .count = heads,
                          .matrix_stride = t.row_stride},
                         box_rows);
}
inline CUtensorMap tensor_map_of_rows(const Tensor& t) {
  return make_tensor_map(
      {.dtype = DType::bf16, .data = t.data, .rows = t.rows(), .cols = t.cols(), .row_stride = t.row_stride},
      box_rows);
}

// Of the inputs of both directions.
template <class Args>
AttentionTensorMaps tensor_maps_of(const Args& a) {
  AttentionTensorMaps maps{.q = tensor_map_of_heads(a.q), .kv = tensor_map_of_heads(a.kv)};
  if (shared_key_columns(a) > 0) maps.k_rope = tensor_map_of_rows(a.k_rope);
  return maps;
}

// Calls body(WgmmaHead) and returns true if these kernels take the heads, the alignment of the rows and the
// GPU.
template <class Args, class Body>
bool with_wgmma_head(const Device& device, const Args& a, const Body& body) {
  if (!has_wgmma(device) || !inputs_aligned(a) ||
      !has_wgmma_heads(a.q.cols(), a.out.cols(), shared_key_columns(a)))
    return false;
  [&]<size_t... i>(std::index_sequence<i...>) {
    const auto take = [&](auto head) {
      if (a.q.cols() == head.k && a.out.cols() == head.v) body(head);
    };
    (take(WgmmaHead<wgmma_heads[i].qk, wgmma_heads[i].v>()), ...);
  }
  (std::make_index_sequence<wgmma_heads.size()>());
  return true;
}

// TMA loads of `rows` rows from `first` on, by one thread; the barrier must expect their bytes.
template <int rows>
__device__ void load_columns(Barrier& barrier, Bf16* to, const CUtensorMap& map, int column, int columns,
                             int64_t first, int matrix) {
  for (int c = 0; c < columns; c += swizzle_width)
    for (int row = 0; row < rows; row += box_rows)
      tma_load(barrier, to + (c * rows + row * swizzle_width), map, column + c, first + row, matrix);
}
template <class Head, int rows>
__device__ void load_queries(Barrier& barrier, Bf16* to, const AttentionTensorMaps& maps, int64_t first,
                             int h) {
  load_columns<rows>(barrier, to, maps.q, 0, Head::k, first, h);
}
template <class Head, int rows>
__device__ void load_douts(Barrier& barrier, Bf16* to, const AttentionTensorMaps& maps, int64_t first,
                           int h) {
  load_columns<rows>(barrier, to, maps.dout, 0, Head::v, first, h);
}
template <class Head, int rows>
__device__ void load_keys(Barrier& barrier, Bf16* to, const AttentionTensorMaps& maps, int Dn, int64_t first,
                          int kv_head) {
  load_columns<rows>(barrier, to, maps.kv, 0, Dn, first, kv_head);
  load_columns<rows>(barrier, to + Dn * rows, maps.k_rope, 0, Head::k - Dn, first, 0);
}
template <class Head, int rows>
__device__ void load_values(Barrier& barrier, Bf16* to, const AttentionTensorMaps& maps, int Dn,
                            int64_t first, int kv_head) {
  load_columns<rows>(barrier, to, maps.kv, Dn, Head::v, first, kv_head);
}

// scores = the warpgroup's 64 own rows times the tile's rows transposed, over `width` columns.
template <int width, int n8>
__device__ void wgmma_scores(float (&scores)[n8][4], const Bf16* block, const Bf16* tile) {
  const int warpgroup = threadIdx.x / warpgroup_size;
  const SmemDescriptor a = SmemDescriptor::k_major(block + warpgroup * (block_rows / 2) * swizzle_width),
                       b = SmemDescriptor::k_major(tile);
#pragma unroll
  for (int k = 0; k < width; k += 16)
    wgmma<false, false>(scores, a + k_major_offset(k, block_rows), b + k_major_offset(k, 8 * n8), k > 0);
}

// P or dS as an A operand in registers, rounded to bf16; K is tile_rows.
template <int tile_rows>
struct RegisterOperand {
  Fragment part[tile_rows / 16];

  __device__ void set(const float (&p)[tile_rows / 8][4]) {
#pragma unroll
    for (int k = 0; k < tile_rows / 16; ++k) part[k] = as_a_fragment(p[2 * k], p[2 * k + 1]);
  }
  // Element i of columns 8 n .. 8 n + 7, as rounded.
  __device__ float operator()(int n, int i) const {
    const uint32_t pair = part[n / 2].r[n % 2 * 2 + i / 2];
    return __uint_as_float(i % 2 ? pair & 0xffff0000u : pair << 16);
  }
};

// out += p tile.
template <int columns, int tile_rows>
__device__ void wgmma_ab(float (&out)[columns][4], const RegisterOperand<tile_rows>& p, const Bf16* tile) {
  const SmemDescriptor b = SmemDescriptor::mn_major(tile, tile_rows);
#pragma unroll
  for (int k = 0; k < tile_rows; k += 16) wgmma<true>(out, p.part[k / 16], b + mn_major_offset(k));
}

}  // namespace fathom::cuda
