// Grouped GEMMs over rows sorted by expert. bf16 uses tensor cores: tiles of 128 rows (wgmma on Hopper,
// mma.sync elsewhere), or smaller ones where experts have few rows; f32 the SIMT tile.
#include "ops/grouped_linear.h"

#include "ops/cuda/hopper/wgmma.cuh"
#include "ops/cuda/matmul/mma_gemm.cuh"
#include "ops/cuda/matmul/simt_gemm.cuh"
#include "ops/cuda/matmul/skinny_gemm.cuh"
#include "ops/cuda/moe/grouped_linear.cuh"
#include "ops/cuda/row_tile.cuh"
#include "ops/cuda/vec.cuh"

namespace fathom::cuda {
namespace {

// A tile of C: how much of it is inside, and whether pairs of elements can be stored at once.
template <class T>
struct OutputTile {
  T* c;
  int64_t stride, rows, cols;
  bool pairs;

  __device__ OutputTile(void* matrix, int64_t stride, int64_t row, int64_t col, int64_t rows_end,
                        int64_t cols_end)
      : c(static_cast<T*>(matrix) + row * stride + col),
        stride(stride),
        rows(rows_end - row),
        cols(cols_end - col),
        pairs(stride % 2 == 0 && reinterpret_cast<uintptr_t>(c) % (2 * sizeof(T)) == 0) {}

  __device__ void write(int row, int col, float2 pair) const {
    if (row >= rows || col >= cols) return;
    T* to = c + row * stride + col;
    if (pairs && col + 1 < cols) return store_pair(to, pair);
    to[0] = from_float<T>(pair.x);
    if (col + 1 < cols) to[1] = from_float<T>(pair.y);
  }
  __device__ float2 read(int row, int col) const {
    if (row >= rows || col >= cols) return {};
    const T* from = c + row * stride + col;
    if constexpr (std::is_same_v<T, float>)
      if (pairs && col + 1 < cols) return *reinterpret_cast<const float2*>(from);
    return make_float2(to_float(from[0]), col + 1 < cols ? to_float(from[1]) : 0);
  }
};

template <class Tile, class T>
__device__ void store(const Tile& t, const OutputTile<T>& to) {
#pragma unroll
  for (int p = 0; p < Tile::pairs; ++p) to.write(t.row(p), t.col(p), t.pair(p));
}
// Loads are issued in batches, before the first value is needed.
template <class Tile, class T>
__device__ void add(const Tile& t, const OutputTile<T>& to) {
  constexpr int at_once = Tile::pairs < 16 ? Tile::pairs : 16;
#pragma unroll
  for (int first = 0; first < Tile::pairs; first += at_once) {
    float2 old[at_once];
#pragma unroll
    for (int i = 0; i < at_once; ++i) old[i] = to.read(t.row(first + i), t.col(first + i));
#pragma unroll
    for (int i = 0; i < at_once; ++i) {
      const float2 sum = t.pair(first + i);
      to.write(t.row(first + i), t.col(first + i), make_float2(old[i].x + sum.x, old[i].y + sum.y));
    }
  }
}

// Sorted rows times their expert's matrix: forward (B K-major) and input gradient (B MN-major).
template <class Tile, bool accumulate>
__global__ void __launch_bounds__(Tile::threads) grouped_gemm(GroupedGemm p) {
  using T = typename Tile::Element;
  extern __shared__ __align__(128) std::byte shared[];
  // Blocks that share rows are neighbours: rows are read from global memory once, the experts' matrices from
  // L2.
  const int64_t tiles_across = ceil_div(p.cols, Tile::cols), col = blockIdx.x % tiles_across * Tile::cols;
  const RowTile tile = find_row_tile(p.offsets, p.E, blockIdx.x / tiles_across, Tile::rows);
  if (tile.group < 0) return;
  const T* a = static_cast<const T*>(p.a) + tile.row * p.a_stride;
  const T* b = static_cast<const T*>(p.b) + tile.group * p.b_expert_stride +
               (Tile::b_k_major ? col * p.b_stride : col);
  Tile t(shared);
  t.run({a, p.a_stride}, {b, p.b_stride}, tile.end - tile.row, p.cols - col, p.K);
  const OutputTile<T> out(p.c, p.c_stride, tile.row, col, tile.end, p.cols);
  if constexpr (accumulate)
    add(t, out);
  else
    store(t, out);
}

// dw[e] (=|+=) the expert's rows of dout^T times its rows of x.
template <class Tile>
__global__ void __launch_bounds__(Tile::threads) grouped_wgrad(GroupedGemm p) {
  using T = typename Tile::Element;
  extern __shared__ __align__(128) std::byte shared[];
  const int e = blockIdx.z;
  const int64_t begin = p.offsets[e], depth = p.offsets[e + 1] - begin;
  if (depth == 0 && p.accumulate) return;
  const int64_t row = static_cast<int64_t>(blockIdx.x) * Tile::rows,
                col = static_cast<int64_t>(blockIdx.y) * Tile::cols;
  Tile t(shared);
  t.run({static_cast<const T*>(p.a) + begin * p.a_stride + row, p.a_stride},
        {static_cast<const T*>(p.b) + begin * p.b_stride + col, p.b_stride}, p.rows - row, p.cols - col,
        depth);
  const OutputTile<float> dw(static_cast<float*>(p.c) + e * p.c_expert_stride, p.c_stride, row, col, p.rows,
                             p.cols);
  if (p.accumulate)
    add(t, dw);
  else
    store(t, dw);
}

// Forward with few rows: a block reads its columns of an expert's matrix once, for all of the expert's rows.
template <int tiles, int halves>
__global__ void __launch_bounds__(skinny_warps* warp_size, 2) grouped_skinny_gemm(GroupedGemm p) {
  wait_for_previous_kernel();
  constexpr int height = skinny_rows / 2 * halves;
  const int columns = 8 * tiles, n0 = static_cast<int>(blockIdx.x) * columns;
  const RowTile tile = find_row_tile(p.offsets, p.E, blockIdx.y, height);
  if (tile.group < 0) return;
  skinny_k_major<Bf16, tiles, halves>({.a = static_cast<const Bf16*>(p.a) + tile.row * p.a_stride,
                                       .b = static_cast<const Bf16*>(p.b) + tile.group * p.b_expert_stride,
                                       .c = static_cast<Bf16*>(p.c) + tile.row * p.c_stride,
                                       .a_stride = p.a_stride,
                                       .b_stride = p.b_stride,
                                       .c_stride = p.c_stride,
                                       .M = static_cast<int>(tile.end - tile.row),
                                       .N = static_cast<int>(p.cols),
                                       .K = static_cast<int>(p.K),
                                       .accumulate = false},
                                      n0);
}

void launch_grouped_skinny_gemm(Device& device, const GroupedGemm& p) {
  const int64_t experts = std::min(p.rows, int64_t{p.E});  // upper bound of the experts with rows
  with_skinny_shape(
      skinny_tiles(device, ceil_div(p.cols, 8) * experts), p.rows, [&](auto tiles, auto halves) {
        const dim3 grid(static_cast<unsigned>(ceil_div(p.cols, 8 * tiles)),
                        static_cast<unsigned>(max_row_tiles(p.rows, p.E, skinny_rows / 2 * halves)));
        launch_chained(device, grid, skinny_warps * warp_size, 0, grouped_skinny_gemm<tiles, halves>, p);
      });
}

template <class Tile, bool accumulate = false>
void launch_grouped_gemm(Device& device, const GroupedGemm& p) {
  const int64_t tiles = ceil_div(p.cols, Tile::cols) * max_row_tiles(p.rows, p.E, Tile::rows);
  launch(device, dim3(static_cast<unsigned>(tiles)), Tile::threads, Tile::shared_bytes,
         grouped_gemm<Tile, accumulate>, p);
}

// C += A B: low-rank products, whose time is that of what they add to.
template <bool b_k_major>
void add_grouped_gemm(Device& device, DType dtype, const GroupedGemm& p, bool aligned) {
  if (dtype == DType::f32)
    launch_grouped_gemm<SimtGemm<true, b_k_major>, true>(device, p);
  else if (!aligned)
    launch_grouped_gemm<MmaGemm<16, true, b_k_major, false>, true>(device, p);
  else
    launch_grouped_gemm<MmaGemm<16, true, b_k_major, true>, true>(device, p);
}

template <bool b_k_major>
void dispatch_grouped_gemm(Device& device, DType dtype, const GroupedGemm& p, bool aligned,
                           bool out_aligned) {
  if (p.accumulate)
    return add_grouped_gemm<b_k_major>(device, dtype, p, aligned);
  if (dtype == DType::f32)
    launch_grouped_gemm<SimtGemm<true, b_k_major>>(device, p);
  else if (!aligned)
    launch_grouped_gemm<MmaGemm<16, true, b_k_major, false>>(device, p);
  else if (b_k_major && out_aligned && grouped_linear_few_rows(device, p))
    return;
  else if (b_k_major && p.rows <= 4 * int64_t{p.E})
    launch_grouped_skinny_gemm(device, p);
  else if (p.rows <= most_small_tile_rows * p.E)
    launch_grouped_gemm<MmaGemm<16, true, b_k_major, true>>(device, p);
  else if (out_aligned && has_wgmma(device))
    grouped_gemm_wgmma(device, p, b_k_major);
  else
    launch_grouped_gemm<MmaGemm<128, true, b_k_major, true>>(device, p);
}

template <class Tile>
void launch_grouped_wgrad(Device& device, const GroupedGemm& p) {
  const dim3 grid(static_cast<unsigned>(ceil_div(p.rows, Tile::rows)),
                  static_cast<unsigned>(ceil_div(p.cols, Tile::cols)), static_cast<unsigned>(p.E));
  launch(device, grid, Tile::threads, Tile::shared_bytes, grouped_wgrad<Tile>, p);
}

int64_t expert_stride(const Tensor& w) {
  return w.shape[1] * w.row_stride;
}

GroupedGemm grouped_gemm_of(const Tensor& rows, const Tensor& w, const Tensor& out, const Tensor& offsets,
                            bool accumulate) {
  return {.a = rows.data,
          .b = w.data,
          .c = out.data,
          .a_stride = rows.row_stride,
          .b_stride = w.row_stride,
          .c_stride = out.row_stride,
          .b_expert_stride = expert_stride(w),
          .rows = out.rows(),
          .cols = out.cols(),
          .K = rows.cols(),
          .offsets = data<int32_t>(offsets),
          .E = static_cast<int>(w.shape[0]),
          .accumulate = accumulate};
}

}  // namespace

void grouped_linear_forward(Device& device, const GroupedLinearForward& a) {
  with_dtype<float, bf16>("grouped_linear_forward", a.x.dtype, [](auto) {});
  dispatch_grouped_gemm<true>(device, a.x.dtype, grouped_gemm_of(a.x, a.w.data, a.out, a.offsets, a.accumulate),
                              all_vectorizable(a.x, a.w.data), vectorizable(a.out));
}

void grouped_linear_backward_input(Device& device, const GroupedLinearBackwardInput& a) {
  with_dtype<float, bf16>("grouped_linear_backward_input", a.dx.dtype, [](auto) {});
  dispatch_grouped_gemm<false>(device, a.dx.dtype, grouped_gemm_of(a.dout, a.w.data, a.dx, a.offsets, a.accumulate),
                               all_vectorizable(a.dout, a.w.data), vectorizable(a.dx));
}

void grouped_linear_backward_weight(Device& device, const GroupedLinearBackwardWeight& a) {
  with_dtype<float, bf16>("grouped_linear_backward_weight", a.x.dtype, [](auto) {});
  const GroupedGemm p = {.a = a.dout.data,
                         .b = a.x.data,
                         .c = a.dw.data,
                         .a_stride = a.dout.row_stride,
                         .b_stride = a.x.row_stride,
                         .c_stride = a.dw.row_stride,
                         .c_expert_stride = expert_stride(a.dw),
                         .rows = a.dout.cols(),
                         .cols = a.x.cols(),
                         .K = a.x.rows(),
                         .offsets = data<int32_t>(a.offsets),
                         .E = static_cast<int>(a.dw.shape[0]),
                         .accumulate = a.accumulate};
  if (a.x.dtype == DType::f32)
    launch_grouped_wgrad<SimtGemm<false, false>>(device, p);
  else if (!all_vectorizable(a.dout, a.x))
    launch_grouped_wgrad<MmaGemm<16, false, false, false>>(device, p);
  else if (p.K > 0 && has_wgmma(device) && rows_aligned_to_16_bytes(a.dw))
    grouped_wgrad_wgmma(device, p);
  else
    launch_grouped_wgrad<MmaGemm<128, false, false, true>>(device, p);
}

}  // namespace fathom::cuda
