// Experts' products over rows sorted by expert. bf16 runs on the tensor cores, in tiles of 128 rows
// (grouped_linear_wgmma.cu on Hopper, mma_tile.cuh elsewhere), or of 16 where experts have few; f32 in plain
// tiles of multiply-adds.
#include "ops/grouped_linear.h"

#include "ops/cuda/hopper/wgmma.cuh"
#include "ops/cuda/matmul/fma_tile.cuh"
#include "ops/cuda/matmul/mma_tile.cuh"
#include "ops/cuda/matmul/thin_tile.cuh"
#include "ops/cuda/moe/grouped_linear.cuh"
#include "ops/cuda/vec.cuh"

namespace fathom::cuda {
namespace {

// A tile's place in C: what there is of it, and whether two elements can be written at once.
template <class T>
struct Destination {
  T* c;
  int64_t stride, rows, cols;
  bool pairs;

  __device__ Destination(void* matrix, int64_t stride, int64_t row, int64_t col, int64_t rows_end,
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
    if (pairs && col + 1 < cols) return *reinterpret_cast<const float2*>(from);
    return make_float2(from[0], col + 1 < cols ? from[1] : 0);
  }
};

template <class Tile, class T>
__device__ void store(const Tile& t, const Destination<T>& to) {
#pragma unroll
  for (int p = 0; p < Tile::pairs; ++p) to.write(t.row(p), t.col(p), t.pair(p));
}
// Many reads are on their way before the first is needed.
template <class Tile>
__device__ void add(const Tile& t, const Destination<float>& to) {
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

// Rows of the sorted tokens times their expert's matrix: forward (w along the depth) and input gradient
// (across).
template <class Tile>
__global__ void __launch_bounds__(Tile::threads) times_expert(Product p) {
  using T = typename Tile::Element;
  extern __shared__ __align__(128) std::byte shared[];
  // Blocks that share rows run side by side: the rows come from memory once, the experts' matrices from the
  // cache.
  const int64_t tiles_across = blocks_for(p.cols, Tile::cols), col = blockIdx.x % tiles_across * Tile::cols;
  const RowTile tile = find_row_tile(p.offsets, p.E, blockIdx.x / tiles_across, Tile::rows);
  if (tile.group < 0) return;
  const T* a = static_cast<const T*>(p.a) + tile.row * p.a_stride;
  const T* b =
      static_cast<const T*>(p.b) + tile.group * p.b_expert + (Tile::b_along_depth ? col * p.b_stride : col);
  Tile t(shared);
  t.run({a, p.a_stride}, {b, p.b_stride}, tile.end - tile.row, p.cols - col, p.depth);
  store(t, Destination<T>(p.c, p.c_stride, tile.row, col, tile.end, p.cols));
}

// dw[e] += the expert's rows of dout^T times its rows of x.
template <class Tile>
__global__ void __launch_bounds__(Tile::threads) weight_gradient(Product p) {
  using T = typename Tile::Element;
  extern __shared__ __align__(128) std::byte shared[];
  const int e = blockIdx.z;
  const int64_t begin = p.offsets[e], depth = p.offsets[e + 1] - begin;
  if (depth == 0) return;
  const int64_t row = static_cast<int64_t>(blockIdx.x) * Tile::rows,
                col = static_cast<int64_t>(blockIdx.y) * Tile::cols;
  Tile t(shared);
  t.run({static_cast<const T*>(p.a) + begin * p.a_stride + row, p.a_stride},
        {static_cast<const T*>(p.b) + begin * p.b_stride + col, p.b_stride}, p.rows - row, p.cols - col,
        depth);
  add(t, Destination<float>(static_cast<float*>(p.c) + e * p.c_expert, p.c_stride, row, col, p.rows, p.cols));
}

// The same for few rows: a block reads its columns of an expert's matrix once, for all of the expert's rows.
template <int tiles, int halves>
__global__ void __launch_bounds__(thin_warps* warp_size, 2) few_times_expert(Product p) {
  constexpr int height = thin_rows / 2 * halves;
  const int columns = 8 * tiles, n0 = static_cast<int>(blockIdx.x) * columns;
  const RowTile tile = find_row_tile(p.offsets, p.E, blockIdx.y, height);
  if (tile.group < 0) return;
  multiply_along_k<Bf16, tiles, halves>({.a = static_cast<const Bf16*>(p.a) + tile.row * p.a_stride,
                                         .b = static_cast<const Bf16*>(p.b) + tile.group * p.b_expert,
                                         .c = static_cast<Bf16*>(p.c) + tile.row * p.c_stride,
                                         .a_stride = p.a_stride,
                                         .b_stride = p.b_stride,
                                         .c_stride = p.c_stride,
                                         .M = static_cast<int>(tile.end - tile.row),
                                         .N = static_cast<int>(p.cols),
                                         .K = static_cast<int>(p.depth),
                                         .accumulate = false},
                                        n0);
}

void launch_few_times_expert(Device& device, const Product& p) {
  const int64_t experts = std::min(p.rows, int64_t{p.E});  // that have rows, at most
  with_thin_shape(thin_tiles(device, blocks_for(p.cols, 8) * experts), p.rows, [&](auto tiles, auto halves) {
    const dim3 grid(static_cast<unsigned>(blocks_for(p.cols, 8 * tiles)),
                    static_cast<unsigned>(most_row_tiles(p.rows, p.E, thin_rows / 2 * halves)));
    launch(device, grid, thin_warps * warp_size, 0, few_times_expert<tiles, halves>, p);
  });
}

template <class Tile>
void launch_times_expert(Device& device, const Product& p) {
  const int64_t tiles = blocks_for(p.cols, Tile::cols) * most_row_tiles(p.rows, p.E, Tile::rows);
  launch(device, dim3(static_cast<unsigned>(tiles)), Tile::threads, Tile::shared_bytes, times_expert<Tile>,
         p);
}

template <bool b_along_depth>
void multiply_by_experts(Device& device, DType dtype, const Product& p, bool aligned, bool out_aligned) {
  if (dtype == DType::f32)
    launch_times_expert<FmaTile<true, b_along_depth>>(device, p);
  else if (!aligned)
    launch_times_expert<MmaTile<16, true, b_along_depth, false>>(device, p);
  else if (b_along_depth && p.rows <= 4 * int64_t{p.E})
    launch_few_times_expert(device, p);
  else if (p.rows <= 32 * int64_t{p.E})
    launch_times_expert<MmaTile<16, true, b_along_depth, true>>(device, p);
  else if (out_aligned && has_wgmma(device))
    times_expert_wgmma(device, p, b_along_depth);
  else
    launch_times_expert<MmaTile<128, true, b_along_depth, true>>(device, p);
}

template <class Tile>
void launch_weight_gradient(Device& device, const Product& p) {
  const dim3 grid(static_cast<unsigned>(blocks_for(p.rows, Tile::rows)),
                  static_cast<unsigned>(blocks_for(p.cols, Tile::cols)), static_cast<unsigned>(p.E));
  launch(device, grid, Tile::threads, Tile::shared_bytes, weight_gradient<Tile>, p);
}

int64_t expert_stride(const Tensor& w) {
  return w.shape[1] * w.row_stride;
}

Product rows_times_experts(const Tensor& rows, const Tensor& w, const Tensor& out, const Tensor& offsets) {
  return {.a = rows.data,
          .b = w.data,
          .c = out.data,
          .a_stride = rows.row_stride,
          .b_stride = w.row_stride,
          .c_stride = out.row_stride,
          .b_expert = expert_stride(w),
          .rows = out.rows(),
          .cols = out.cols(),
          .depth = rows.cols(),
          .offsets = data<int32_t>(offsets),
          .E = static_cast<int>(w.shape[0])};
}

}  // namespace

void grouped_linear_forward(Device& device, const GroupedLinearForward& a) {
  with_dtype<float, bf16>("grouped_linear_forward", a.x.dtype, [](auto) {});
  multiply_by_experts<true>(device, a.x.dtype, rows_times_experts(a.x, a.w, a.out, a.offsets),
                            all_by_eights(a.x, a.w), by_eights(a.out));
}

void grouped_linear_backward_input(Device& device, const GroupedLinearBackwardInput& a) {
  with_dtype<float, bf16>("grouped_linear_backward_input", a.dx.dtype, [](auto) {});
  multiply_by_experts<false>(device, a.dx.dtype, rows_times_experts(a.dout, a.w, a.dx, a.offsets),
                             all_by_eights(a.dout, a.w), by_eights(a.dx));
}

void grouped_linear_backward_weight(Device& device, const GroupedLinearBackwardWeight& a) {
  with_dtype<float, bf16>("grouped_linear_backward_weight", a.x.dtype, [](auto) {});
  const Product p = {.a = a.dout.data,
                     .b = a.x.data,
                     .c = a.dw.data,
                     .a_stride = a.dout.row_stride,
                     .b_stride = a.x.row_stride,
                     .c_stride = a.dw.row_stride,
                     .c_expert = expert_stride(a.dw),
                     .rows = a.dout.cols(),
                     .cols = a.x.cols(),
                     .depth = a.x.rows(),
                     .offsets = data<int32_t>(a.offsets),
                     .E = static_cast<int>(a.dw.shape[0])};
  if (a.x.dtype == DType::f32)
    launch_weight_gradient<FmaTile<false, false>>(device, p);
  else if (!all_by_eights(a.dout, a.x))
    launch_weight_gradient<MmaTile<16, false, false, false>>(device, p);
  else if (has_wgmma(device) && rows_at_16_bytes(a.dw))
    weight_gradient_wgmma(device, p);
  else
    launch_weight_gradient<MmaTile<128, false, false, true>>(device, p);
}

}  // namespace fathom::cuda
