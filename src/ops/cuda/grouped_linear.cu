// Experts' products over rows sorted by expert. bf16 runs on the tensor cores (mma_tile.cuh), in tiles of 128
// rows, or of 16 where experts have few; f32 in plain tiles of multiply-adds.
#include "ops/grouped_linear.h"

#include "ops/cuda/fma_tile.cuh"
#include "ops/cuda/mma_tile.cuh"

namespace fathom::cuda {
namespace {

// The three products in the words of a tile: along_depth says how an operand lies, T its type.
struct Product {
  const void *a, *b;
  void* c;
  int64_t a_stride, b_stride, b_expert, c_stride,
      c_expert;         // elements; *_expert: from one expert to the next
  int64_t cols, depth;  // of forward and input gradient
  const int32_t* offsets;
  int E;
};

__device__ void store_pair(float* to, float2 pair) {
  *reinterpret_cast<float2*>(to) = pair;
}
__device__ void store_pair(Bf16* to, float2 pair) {
  *reinterpret_cast<uint32_t*>(to) = pack(pair.x, pair.y);
}

// Rows of the sorted tokens times their expert's matrix: forward (w along the depth) and input gradient
// (across).
template <class Tile, class T, int rows, bool b_along_depth>
__global__ void times_expert(Product p) {
  extern __shared__ __align__(32) std::byte shared[];
  const RowTile tile = find_row_tile(p.offsets, p.E, blockIdx.y, rows);
  if (tile.group < 0) return;
  const int64_t col = static_cast<int64_t>(blockIdx.x) * Tile::cols;
  const T* a = static_cast<const T*>(p.a) + tile.row * p.a_stride;
  const T* b =
      static_cast<const T*>(p.b) + tile.group * p.b_expert + (b_along_depth ? col * p.b_stride : col);
  Tile t(shared);
  t.run({a, p.a_stride}, {b, p.b_stride}, tile.end - tile.row, p.cols - col, p.depth);
  T* c = static_cast<T*>(p.c) + tile.row * p.c_stride + col;
  const bool pairs = p.c_stride % 2 == 0 && reinterpret_cast<uintptr_t>(p.c) % (2 * sizeof(T)) == 0;
  t.store([&](int i, int j, float2 pair) {
    if (tile.row + i >= tile.end || col + j >= p.cols) return;
    T* to = c + i * p.c_stride + j;
    if (pairs && col + j + 1 < p.cols) {
      store_pair(to, pair);
    } else {
      to[0] = from_float<T>(pair.x);
      if (col + j + 1 < p.cols) to[1] = from_float<T>(pair.y);
    }
  });
}

// dw[e] += the expert's rows of dout^T times its rows of x; rows_out: outputs, the rows of dw.
template <class Tile, class T, int rows>
__global__ void weight_gradient(Product p, int64_t rows_out) {
  extern __shared__ __align__(32) std::byte shared[];
  const int e = blockIdx.z;
  const int64_t begin = p.offsets[e], depth = p.offsets[e + 1] - begin;
  if (depth == 0) return;
  const int64_t row = static_cast<int64_t>(blockIdx.x) * rows,
                col = static_cast<int64_t>(blockIdx.y) * Tile::cols;
  Tile t(shared);
  t.run({static_cast<const T*>(p.a) + begin * p.a_stride + row, p.a_stride},
        {static_cast<const T*>(p.b) + begin * p.b_stride + col, p.b_stride}, rows_out - row, p.cols - col,
        depth);
  float* c = static_cast<float*>(p.c) + e * p.c_expert + row * p.c_stride + col;
  t.store([&](int i, int j, float2 pair) {
    if (row + i >= rows_out || col + j >= p.cols) return;
    float* to = c + i * p.c_stride + j;
    to[0] += pair.x;
    if (col + j + 1 < p.cols) to[1] += pair.y;
  });
}

template <class Tile, class T, int rows, bool b_along_depth>
void launch_times_expert(Device& device, const Product& p, int64_t M) {
  // Blocks that share rows run side by side: the rows come from memory once, the experts' matrices from the
  // cache.
  const dim3 grid(static_cast<unsigned>(blocks_for(p.cols, Tile::cols)),
                  static_cast<unsigned>(most_row_tiles(M, p.E, rows)));
  launch(device, grid, tile_threads, Tile::shared_bytes, times_expert<Tile, T, rows, b_along_depth>, p);
}

template <bool b_along_depth>
void multiply_by_experts(Device& device, DType dtype, const Product& p, int64_t M, bool aligned) {
  if (dtype == DType::f32)
    return launch_times_expert<FmaTile<true, b_along_depth>, float, FmaTile<true, b_along_depth>::rows,
                               b_along_depth>(device, p, M);
  const bool few = M <= 32 * int64_t{p.E};
  const auto run = [&]<int rows, bool vectors>() {
    launch_times_expert<MmaTile<rows, true, b_along_depth, vectors>, __nv_bfloat16, rows, b_along_depth>(
        device, p, M);
  };
  if (!aligned)
    run.template operator()<16, false>();
  else if (few)
    run.template operator()<16, true>();
  else
    run.template operator()<128, true>();
}

template <class Tile, class T, int rows>
void launch_weight_gradient(Device& device, const Product& p, int64_t rows_out) {
  const dim3 grid(static_cast<unsigned>(blocks_for(rows_out, rows)),
                  static_cast<unsigned>(blocks_for(p.cols, Tile::cols)), static_cast<unsigned>(p.E));
  launch(device, grid, tile_threads, Tile::shared_bytes, weight_gradient<Tile, T, rows>, p, rows_out);
}

// Whether lines of both operands can be copied 16 bytes at a time.
bool in_vectors(const Tensor& a, const Tensor& b) {
  const auto fits = [](const Tensor& t) {
    return reinterpret_cast<uintptr_t>(t.data) % 16 == 0 && t.row_stride % 8 == 0 && t.cols() % 8 == 0;
  };
  return fits(a) && fits(b);
}

int64_t expert_stride(const Tensor& w) {
  return w.shape[1] * w.row_stride;
}

}  // namespace

void grouped_linear_forward(Device& device, const GroupedLinearForward& a) {
  with_dtype<float, bf16>("grouped_linear_forward", a.x.dtype, [](auto) {});
  const Product p = {a.x.data,
                     a.w.data,
                     a.out.data,
                     a.x.row_stride,
                     a.w.row_stride,
                     expert_stride(a.w),
                     a.out.row_stride,
                     0,
                     a.out.cols(),
                     a.x.cols(),
                     data<int32_t>(a.offsets),
                     static_cast<int>(a.w.shape[0])};
  multiply_by_experts<true>(device, a.x.dtype, p, a.x.rows(), in_vectors(a.x, a.w));
}

void grouped_linear_backward_input(Device& device, const GroupedLinearBackwardInput& a) {
  with_dtype<float, bf16>("grouped_linear_backward_input", a.dx.dtype, [](auto) {});
  const Product p = {a.dout.data,
                     a.w.data,
                     a.dx.data,
                     a.dout.row_stride,
                     a.w.row_stride,
                     expert_stride(a.w),
                     a.dx.row_stride,
                     0,
                     a.dx.cols(),
                     a.dout.cols(),
                     data<int32_t>(a.offsets),
                     static_cast<int>(a.w.shape[0])};
  multiply_by_experts<false>(device, a.dx.dtype, p, a.dx.rows(), in_vectors(a.dout, a.w));
}

void grouped_linear_backward_weight(Device& device, const GroupedLinearBackwardWeight& a) {
  with_dtype<float, bf16>("grouped_linear_backward_weight", a.x.dtype, [](auto) {});
  const Product p = {a.dout.data,
                     a.x.data,
                     a.dw.data,
                     a.dout.row_stride,
                     a.x.row_stride,
                     0,
                     a.dw.row_stride,
                     expert_stride(a.dw),
                     a.x.cols(),
                     0,
                     data<int32_t>(a.offsets),
                     static_cast<int>(a.dw.shape[0])};
  const int64_t O = a.dout.cols();
  if (a.x.dtype == DType::f32)
    launch_weight_gradient<FmaTile<false, false>, float, FmaTile<false, false>::rows>(device, p, O);
  else if (in_vectors(a.dout, a.x))
    launch_weight_gradient<MmaTile<128, false, false, true>, __nv_bfloat16, 128>(device, p, O);
  else
    launch_weight_gradient<MmaTile<16, false, false, false>, __nv_bfloat16, 16>(device, p, O);
}

}  // namespace fathom::cuda
