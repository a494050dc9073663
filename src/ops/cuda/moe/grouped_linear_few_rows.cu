// The forward product of experts with few rows each, on Hopper.
#include "ops/cuda/moe/few_rows_gemm.cuh"
#include "ops/cuda/moe/grouped_linear.cuh"

namespace fathom::cuda {
namespace {

template <class Tile>
__global__ void __launch_bounds__(Tile::threads, 1)
    few_rows_linear(const __grid_constant__ CUtensorMap w, const __grid_constant__ CUtensorMap x,
                    GroupedGemm p) {
  extern __shared__ __align__(128) std::byte shared[];
  constexpr int cols = Tile::panels * Tile::panel_rows;
  const int64_t tiles_across = ceil_div(p.cols, cols);
  Tile t(shared, w, x, nullptr, p.K);
  t.run([&](const auto& visit) {
    for (int64_t i = blockIdx.x;; i += gridDim.x) {
      const RowTile rows = find_row_tile(p.offsets, p.E, i / tiles_across, Tile::rows);
      if (rows.group < 0) return;
      const int64_t col = i % tiles_across * cols;
      visit({.x = rows, .panel = {col, col + Tile::panel_rows}},
            [&]<int n8>(const float(&c)[Tile::panels][n8][4]) {
              Bf16* out = static_cast<Bf16*>(p.c) + rows.row * p.c_stride + col;
#pragma unroll
              for (int panel = 0; panel < Tile::panels; ++panel) {
                const int first = panel * Tile::panel_rows;
                Tile::template store_transposed<n8>(out + first, p.c_stride, rows.end - rows.row,
                                                    p.cols - col - first,
                                                    [&](int j, int i) { return c[panel][j][i]; });
              }
            });
    }
  });
}

template <class Tile>
void run(Device& device, const GroupedGemm& p) {
  const int64_t across = ceil_div(p.cols, Tile::panels * Tile::panel_rows);
  launch_chained(
      device, persistent_grid(device, across * max_row_tiles(p.rows, p.E, Tile::rows)), Tile::threads,
      Tile::shared_bytes, few_rows_linear<Tile>,
      Tile::tensor_map_w({.dtype = DType::bf16,
                          .data = p.b,
                          .rows = p.cols,
                          .cols = p.K,
                          .row_stride = p.b_stride,
                          .count = p.E,
                          .matrix_stride = p.b_expert_stride}),
      Tile::tensor_map_x(
          {.dtype = DType::bf16, .data = p.a, .rows = p.rows, .cols = p.K, .row_stride = p.a_stride}),
      p);
}

}  // namespace

bool grouped_linear_few_rows(Device& device, const GroupedGemm& p) {
  if (!suits_few_rows(device, p.rows, p.E, p.K)) return false;
  using Narrow = FewRowsGemm<1, false>;
  const int64_t tiles =
      ceil_div(p.cols, Narrow::panels * Narrow::panel_rows) * std::min(p.rows, int64_t{p.E});
  with_warpgroups(device, tiles, [&](auto n) { run<FewRowsGemm<n, false>>(device, p); });
  return true;
}

}  // namespace fathom::cuda
