// Gate and up in one kernel on Hopper, with SwiGLU on its accumulators, by tiles for few or many rows an
// expert; elsewhere three kernels one after the other.
#include "ops/cuda/hopper/wgmma_gemm.cuh"
#include "ops/cuda/moe/few_rows_gemm.cuh"
#include "ops/cuda/moe/grouped_linear.cuh"
#include "ops/cuda/vec.cuh"
#include "ops/grouped_swiglu_steps.h"

namespace fathom::cuda {
namespace {

struct SwigluGemm {
  Bf16* out;
  int64_t out_stride, F, C;
  const int32_t *token_of, *offsets;
  int E;
};

__device__ float swiglu(float gate, float up) {
  return gate / (1 + expf(-gate)) * up;
}

template <class Tile>
__global__ void __launch_bounds__(Tile::threads, 1)
    few_rows_swiglu(const __grid_constant__ CUtensorMap w, const __grid_constant__ CUtensorMap x,
                    SwigluGemm p) {
  extern __shared__ __align__(128) std::byte shared[];
  const int64_t tiles_across = ceil_div(p.F, Tile::panel_rows);
  Tile t(shared, w, x, p.token_of, p.C);
  t.run([&](const auto& visit) {
    for (int64_t i = blockIdx.x;; i += gridDim.x) {
      const RowTile rows = find_row_tile(p.offsets, p.E, i / tiles_across, Tile::rows);
      if (rows.group < 0) return;
      const int64_t col = i % tiles_across * Tile::panel_rows;
      visit({.x = rows, .panel = {col, p.F + col}}, [&]<int n8>(const float(&c)[Tile::panels][n8][4]) {
        Tile::template store_transposed<n8>(p.out + rows.row * p.out_stride + col, p.out_stride,
                                            rows.end - rows.row, p.F - col,
                                            [&](int j, int i) { return swiglu(c[0][j][i], c[1][j][i]); });
      });
    }
  });
}

// By tiles of 128 rows, each with 128 columns of the gate and the same of up.
using ManyRowsTile = WgmmaGemm<true, true, 2>;
__global__ void __launch_bounds__(ManyRowsTile::threads, 1)
    many_rows_swiglu(const __grid_constant__ CUtensorMap w, const __grid_constant__ CUtensorMap x,
                     SwigluGemm p) {
  using Tile = ManyRowsTile;
  extern __shared__ __align__(128) std::byte shared[];
  const int64_t tiles_across = ceil_div(p.F, Tile::panel_cols);
  Tile t(shared);
  t.run(x, w, [&](const auto& visit) {
    for (int64_t i = blockIdx.x;; i += gridDim.x) {
      const RowTile rows = find_row_tile(p.offsets, p.E, i / tiles_across, Tile::rows);
      if (rows.group < 0) return;
      const int64_t col = i % tiles_across * Tile::panel_cols;
      visit({.row = rows.row, .col = {col, p.F + col}, .matrix = rows.group, .k_begin = 0, .k_end = p.C},
            [&] {
              t.store_combined(p.out + rows.row * p.out_stride + col, p.out_stride, rows.end - rows.row,
                               p.F - col, swiglu);
            });
    }
  });
}

MatrixBatch rows_of(const Tensor& x) {
  return {
      .dtype = DType::bf16, .data = x.data, .rows = x.rows(), .cols = x.cols(), .row_stride = x.row_stride};
}
MatrixBatch experts_of(const Tensor& w) {
  return {.dtype = DType::bf16,
          .data = w.data,
          .rows = w.shape[1],
          .cols = w.cols(),
          .row_stride = w.row_stride,
          .count = w.shape[0],
          .matrix_stride = w.shape[1] * w.row_stride};
}
SwigluGemm parameters_of(const GroupedSwiglu& a) {
  return {.out = data<bf16>(a.out),
          .out_stride = a.out.row_stride,
          .F = a.out.cols(),
          .C = a.x.cols(),
          .token_of = data<int32_t>(a.token_of),
          .offsets = data<int32_t>(a.offsets),
          .E = static_cast<int>(a.w.data.shape[0])};
}

template <class Tile>
void run(Device& device, const GroupedSwiglu& a, const Tensor& x) {
  const int64_t tiles =
      ceil_div(a.out.cols(), Tile::panel_rows) * max_row_tiles(a.out.rows(), a.w.data.shape[0], Tile::rows);
  launch_chained(device, persistent_grid(device, tiles), Tile::threads, Tile::shared_bytes,
                 few_rows_swiglu<Tile>, Tile::tensor_map_w(experts_of(a.w.data)),
                 Tile::tensor_map_x(rows_of(x)), parameters_of(a));
}

void run_many_rows(Device& device, const GroupedSwiglu& a) {
  using Tile = ManyRowsTile;
  cuda::permute(device, {.out = a.rows, .x = a.x, .token_of = a.token_of});
  const int64_t tiles =
      ceil_div(a.out.cols(), Tile::panel_cols) * max_row_tiles(a.out.rows(), a.w.data.shape[0], Tile::rows);
  launch(device, persistent_grid(device, tiles), Tile::threads, Tile::shared_bytes, many_rows_swiglu,
         Tile::tensor_map_b(experts_of(a.w.data)), Tile::tensor_map_a(rows_of(a.rows)), parameters_of(a));
}

// Up to this many rows an expert, on average, loading rows one by one is hidden behind loading the matrices.
constexpr int64_t gathered_rows_per_expert = 12;

void run_few_rows(Device& device, const GroupedSwiglu& a) {
  const int64_t F = a.out.cols(), M = a.out.rows(), E = a.w.data.shape[0];
  const int64_t tiles = ceil_div(F, FewRowsGemm<1, true>::panel_rows) * std::min(M, E);
  with_warpgroups(device, tiles, [&](auto n) {
    if (M <= gathered_rows_per_expert * E) return run<FewRowsGemm<n, true>>(device, a, a.x);
    cuda::permute(device, {.out = a.rows, .x = a.x, .token_of = a.token_of});
    run<FewRowsGemm<n, false>>(device, a, a.rows);
  });
}

}  // namespace

void grouped_swiglu(Device& device, const GroupedSwiglu& a) {
  const int64_t M = a.out.rows(), E = a.w.data.shape[0];
  const bool aligned =
      a.out.dtype == DType::bf16 && all_vectorizable(a.out, a.x, a.rows, a.w.data) && has_wgmma(device);
  if (aligned && suits_few_rows(device, M, E, a.x.cols()))
    run_few_rows(device, a);
  else if (aligned && M > most_small_tile_rows * E)
    run_many_rows(device, a);
  else
    grouped_swiglu_steps<permute, grouped_linear_forward, swiglu_forward>(device, a);
}

}  // namespace fathom::cuda
