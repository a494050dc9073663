// Grouped GEMMs with wgmma: persistent blocks, so that the loads of a tile overlap the epilogue of the
// previous one.
#include "ops/cuda/hopper/wgmma_gemm.cuh"
#include "ops/cuda/moe/grouped_linear.cuh"
#include "ops/cuda/row_tile.cuh"

namespace fathom::cuda {
namespace {

template <class Tile>
__global__ void __launch_bounds__(Tile::threads, 1)
    grouped_gemm(const __grid_constant__ CUtensorMap a, const __grid_constant__ CUtensorMap b,
                 GroupedGemm p) {
  extern __shared__ __align__(128) std::byte shared[];
  const int64_t tiles_across = ceil_div(p.cols, Tile::cols);
  Tile t(shared);
  t.run(a, b, [&](const auto& visit) {
    for (int64_t i = blockIdx.x;; i += gridDim.x) {
      const int64_t col = i % tiles_across * Tile::cols;
      const RowTile tile = find_row_tile(p.offsets, p.E, i / tiles_across, Tile::rows);
      if (tile.group < 0) return;
      visit({.row = tile.row, .col = {col}, .matrix = tile.group, .k_begin = 0, .k_end = p.K}, [&] {
        t.store(static_cast<Bf16*>(p.c) + tile.row * p.c_stride + col, p.c_stride, tile.end - tile.row,
                p.cols - col);
      });
    }
  });
}

template <class Tile>
__global__ void __launch_bounds__(Tile::threads, 1)
    grouped_wgrad(const __grid_constant__ CUtensorMap a, const __grid_constant__ CUtensorMap b,
                  const __grid_constant__ CUtensorMap c, GroupedGemm p) {
  extern __shared__ __align__(128) std::byte shared[];
  const int64_t tiles_down = ceil_div(p.rows, Tile::rows), tiles = tiles_down * ceil_div(p.cols, Tile::cols);
  Tile t(shared);
  t.run(a, b, [&](const auto& visit) {
    for (int64_t i = blockIdx.x; i < p.E * tiles; i += gridDim.x) {
      const int64_t e = i / tiles, row = i % tiles_down * Tile::rows,
                    col = i % tiles / tiles_down * Tile::cols;
      const int64_t begin = p.offsets[e], end = p.offsets[e + 1];
      if (begin < end || !p.accumulate)
        visit({.row = row, .col = {col}, .matrix = 0, .k_begin = begin, .k_end = end},
              [&] { t.store(c, row, col, static_cast<int>(e), p.accumulate); });
    }
  });
}

template <bool b_k_major>
void launch_grouped_gemm(Device& device, const GroupedGemm& p) {
  using Tile = WgmmaGemm<true, b_k_major>;
  const int64_t tiles = ceil_div(p.cols, Tile::cols) * max_row_tiles(p.rows, p.E, Tile::rows);
  const MatrixBatch a = {.dtype = DType::bf16,
                         .data = p.a,
                         .rows = p.rows,
                         .cols = p.K,
                         .row_stride = p.a_stride},
                    b = {.dtype = DType::bf16,
                         .data = p.b,
                         .rows = b_k_major ? p.cols : p.K,
                         .cols = b_k_major ? p.K : p.cols,
                         .row_stride = p.b_stride,
                         .count = p.E,
                         .matrix_stride = p.b_expert_stride};
  launch(device, persistent_grid(device, tiles), Tile::threads, Tile::shared_bytes, grouped_gemm<Tile>,
         Tile::tensor_map_a(a), Tile::tensor_map_b(b), p);
}

}  // namespace

void grouped_gemm_wgmma(Device& device, const GroupedGemm& p, bool b_k_major) {
  if (b_k_major)
    launch_grouped_gemm<true>(device, p);
  else
    launch_grouped_gemm<false>(device, p);
}

void grouped_wgrad_wgmma(Device& device, const GroupedGemm& p) {
  using Tile = WgmmaGemm<false, false>;
  const int64_t tiles = p.E * ceil_div(p.rows, Tile::rows) * ceil_div(p.cols, Tile::cols);
  const MatrixBatch
      a = {.dtype = DType::bf16, .data = p.a, .rows = p.K, .cols = p.rows, .row_stride = p.a_stride},
      b = {.dtype = DType::bf16, .data = p.b, .rows = p.K, .cols = p.cols, .row_stride = p.b_stride},
      c = {.dtype = DType::f32,
           .data = p.c,
           .rows = p.rows,
           .cols = p.cols,
           .row_stride = p.c_stride,
           .count = p.E,
           .matrix_stride = p.c_expert_stride};
  launch(device, persistent_grid(device, tiles), Tile::threads, Tile::shared_bytes, grouped_wgrad<Tile>,
         Tile::tensor_map_a(a), Tile::tensor_map_b(b), Tile::tensor_map_c(c), p);
}

}  // namespace fathom::cuda
