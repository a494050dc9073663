// Experts' products on Hopper. A block takes one tile after another, so that one's copies run beside
// another's sums.
#include "ops/cuda/hopper/wgmma_tile.cuh"
#include "ops/cuda/moe/grouped_linear.cuh"

namespace fathom::cuda {
namespace {

template <class Tile>
__global__ void __launch_bounds__(Tile::threads, 1)
    times_expert(const __grid_constant__ CUtensorMap a, const __grid_constant__ CUtensorMap b, Product p) {
  extern __shared__ __align__(128) std::byte shared[];
  const int64_t tiles_across = blocks_for(p.cols, Tile::cols);
  Tile t(shared);
  t.run(a, b, [&](const auto& visit) {
    for (int64_t i = blockIdx.x;; i += gridDim.x) {
      const int64_t col = i % tiles_across * Tile::cols;
      const RowTile tile = find_row_tile(p.offsets, p.E, i / tiles_across, Tile::rows);
      if (tile.group < 0) return;
      visit({.row = tile.row, .col = col, .matrix = tile.group, .begin = 0, .end = p.depth}, [&] {
        t.store(static_cast<Bf16*>(p.c) + tile.row * p.c_stride + col, p.c_stride, tile.end - tile.row,
                p.cols - col);
      });
    }
  });
}

template <class Tile>
__global__ void __launch_bounds__(Tile::threads, 1)
    weight_gradient(const __grid_constant__ CUtensorMap a, const __grid_constant__ CUtensorMap b,
                    const __grid_constant__ CUtensorMap c, Product p) {
  extern __shared__ __align__(128) std::byte shared[];
  const int64_t tiles_down = blocks_for(p.rows, Tile::rows),
                tiles = tiles_down * blocks_for(p.cols, Tile::cols);
  Tile t(shared);
  t.run(a, b, [&](const auto& visit) {
    for (int64_t i = blockIdx.x; i < p.E * tiles; i += gridDim.x) {
      const int64_t e = i / tiles, row = i % tiles_down * Tile::rows,
                    col = i % tiles / tiles_down * Tile::cols;
      const int64_t begin = p.offsets[e], end = p.offsets[e + 1];
      if (begin < end)
        visit({.row = row, .col = col, .matrix = 0, .begin = begin, .end = end},
              [&] { t.add_to(c, row, col, static_cast<int>(e)); });
    }
  });
}

// As many blocks as the GPU holds at once.
dim3 blocks(const Device& device, int64_t tiles) {
  return dim3(static_cast<unsigned>(std::min<int64_t>(tiles, device.cuda_context().multiprocessors())));
}

template <bool b_along_depth>
void launch_times_expert(Device& device, const Product& p) {
  using Tile = WgmmaTile<true, b_along_depth>;
  const int64_t tiles = blocks_for(p.cols, Tile::cols) * most_row_tiles(p.rows, p.E, Tile::rows);
  const Matrices a = {.dtype = DType::bf16,
                      .data = p.a,
                      .rows = p.rows,
                      .cols = p.depth,
                      .row_stride = p.a_stride},
                 b = {.dtype = DType::bf16,
                      .data = p.b,
                      .rows = b_along_depth ? p.cols : p.depth,
                      .cols = b_along_depth ? p.depth : p.cols,
                      .row_stride = p.b_stride,
                      .count = p.E,
                      .matrix_stride = p.b_expert};
  launch(device, blocks(device, tiles), Tile::threads, Tile::shared_bytes, times_expert<Tile>, Tile::map_a(a),
         Tile::map_b(b), p);
}

}  // namespace

void times_expert_wgmma(Device& device, const Product& p, bool b_along_depth) {
  if (b_along_depth)
    launch_times_expert<true>(device, p);
  else
    launch_times_expert<false>(device, p);
}

void weight_gradient_wgmma(Device& device, const Product& p) {
  using Tile = WgmmaTile<false, false>;
  const int64_t tiles = p.E * blocks_for(p.rows, Tile::rows) * blocks_for(p.cols, Tile::cols);
  const Matrices
      a = {.dtype = DType::bf16, .data = p.a, .rows = p.depth, .cols = p.rows, .row_stride = p.a_stride},
      b = {.dtype = DType::bf16, .data = p.b, .rows = p.depth, .cols = p.cols, .row_stride = p.b_stride},
      c = {.dtype = DType::f32,
           .data = p.c,
           .rows = p.rows,
           .cols = p.cols,
           .row_stride = p.c_stride,
           .count = p.E,
           .matrix_stride = p.c_expert};
  launch(device, blocks(device, tiles), Tile::threads, Tile::shared_bytes, weight_gradient<Tile>,
         Tile::map_a(a), Tile::map_b(b), Tile::map_sums(c), p);
}

}  // namespace fathom::cuda
