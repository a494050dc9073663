// Gate and up of few rows an expert in one kernel on Hopper, with SwiGLU on its accumulators; elsewhere three
// kernels one after the other.
#include "ops/cuda/moe/few_rows_gemm.cuh"
#include "ops/cuda/vec.cuh"
#include "ops/grouped_swiglu_steps.h"

namespace fathom::cuda {
namespace {

struct FewRowsSwiglu {
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
                    FewRowsSwiglu p) {
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

template <class Tile>
void run(Device& device, const GroupedSwiglu& a, const Tensor& x) {
  const Tensor& w = a.w.data;
  const int64_t F = a.out.cols(), E = w.shape[0];
  const int64_t tiles = ceil_div(F, Tile::panel_rows) * max_row_tiles(a.out.rows(), E, Tile::rows);
  launch_chained(device, persistent_grid(device, tiles), Tile::threads, Tile::shared_bytes,
                 few_rows_swiglu<Tile>,
                 Tile::tensor_map_w({.dtype = DType::bf16,
                                     .data = w.data,
                                     .rows = 2 * F,
                                     .cols = w.cols(),
                                     .row_stride = w.row_stride,
                                     .count = E,
                                     .matrix_stride = 2 * F * w.row_stride}),
                 Tile::tensor_map_x({.dtype = DType::bf16,
                                     .data = x.data,
                                     .rows = x.rows(),
                                     .cols = x.cols(),
                                     .row_stride = x.row_stride}),
                 FewRowsSwiglu{.out = data<bf16>(a.out),
                               .out_stride = a.out.row_stride,
                               .F = F,
                               .C = x.cols(),
                               .token_of = data<int32_t>(a.token_of),
                               .offsets = data<int32_t>(a.offsets),
                               .E = static_cast<int>(E)});
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
  if (a.out.dtype == DType::bf16 && all_vectorizable(a.out, a.x, a.rows, a.w.data) &&
      suits_few_rows(device, a.out.rows(), a.w.data.shape[0], a.x.cols()))
    run_few_rows(device, a);
  else
    grouped_swiglu_steps<permute, grouped_linear_forward, swiglu_forward>(device, a);
}

}  // namespace fathom::cuda
