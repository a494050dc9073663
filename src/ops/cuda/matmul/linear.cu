// Linear layers as GEMMs. An f32 weight or gradient (the router's) with bf16 activations keeps its precision
// on bf16 tensor cores as the sum of three bf16 parts of 8 bits each.
#include "ops/linear.h"

#include "ops/cuda/kernel.cuh"
#include "ops/cuda/matmul/gemm.h"

namespace fathom::cuda {
namespace {

constexpr int threads = 256;
constexpr int parts = 3;

// out[n] = bias; the GEMM then accumulates into it.
template <class Out, class Bias>
__global__ void fill_rows(Out* out, int64_t stride, const Bias* bias, int64_t N, int64_t O) {
  const int64_t i = static_cast<int64_t>(blockIdx.x) * threads + threadIdx.x;
  if (i < N * O) out[i / O * stride + i % O] = from_float<Out>(to_float(bias[i % O]));
}

// The sequence of parts that a matrix is split into: 0 the high, 1 the middle, 2 the low one.
struct PartOrder {
  int count;
  int8_t part[6];
};
constexpr PartOrder smallest_first = {3, {2, 1, 0}};
// Of dout and w in dx = dout w, by the type of w: products of parts are added from the smallest to the
// largest. The products left out for an f32 w are below the rounding of f32.
constexpr PartOrder dout_order_bf16 = {3, {2, 1, 0}}, weight_order_bf16 = {3, {0, 0, 0}};
constexpr PartOrder dout_order_f32 = {6, {0, 2, 1, 0, 1, 0}}, weight_order_f32 = {6, {2, 0, 1, 1, 0, 0}};

// Where the parts of a matrix are stored: row r of part j begins at data + j * part_stride + r * row_stride.
struct Parts {
  __nv_bfloat16* data;
  int64_t part_stride, row_stride;
};

template <class T>
__global__ void split_elements(Parts to, PartOrder order, const T* x, int64_t x_stride, int64_t rows,
                               int64_t cols) {
  const int64_t i = static_cast<int64_t>(blockIdx.x) * threads + threadIdx.x;
  if (i >= rows * cols) return;
  const int64_t row = i / cols, col = i % cols;
  float rest = to_float(x[row * x_stride + col]);
  __nv_bfloat16 part[parts];
  for (__nv_bfloat16& p : part) {
    p = from_float<__nv_bfloat16>(rest);
    rest -= to_float(p);
  }
  for (int j = 0; j < order.count; ++j) {
    const int which = order.part[j];
    to.data[j * to.part_stride + row * to.row_stride + col] = which == 0   ? part[0]
                                                              : which == 1 ? part[1]
                                                                           : part[2];
  }
}

// sums (=|+=) column sums of x. A block takes 32 columns, its warps take the rows round robin.
constexpr int sum_warps = 32;
template <class T>
__global__ void sum_rows(float* sums, const T* x, int64_t stride, int64_t N, int64_t O, bool accumulate) {
  __shared__ float warp_sums[sum_warps][warp_size];
  const int lane = threadIdx.x % warp_size, warp = threadIdx.x / warp_size;
  const int64_t o = static_cast<int64_t>(blockIdx.x) * warp_size + lane;
  float sum = 0;
  if (o < O)
#pragma unroll 8
    for (int64_t n = warp; n < N; n += sum_warps) sum += to_float(x[n * stride + o]);
  warp_sums[warp][lane] = sum;
  __syncthreads();
  if (warp > 0 || o >= O) return;
  for (int w = 1; w < sum_warps; ++w) sum += warp_sums[w][lane];
  sums[o] = accumulate ? sums[o] + sum : sum;
}

void check_dtype(const char* op, DType dtype) {
  with_dtype<float, bf16>(op, dtype, [](auto) {});
}

dim3 grid_of(const Tensor& t) {
  return dim3(static_cast<unsigned>(ceil_div(t.count(), threads)));
}

void write_bias(Device& device, const Tensor& out, const Tensor& bias) {
  with_dtype<float, bf16>("linear_forward", out.dtype, [&]<class Out>(Out) {
    with_dtype<float, bf16>("linear_forward", bias.dtype, [&]<class Bias>(Bias) {
      launch(device, grid_of(out), threads, 0, fill_rows<gpu_t<Out>, gpu_t<Bias>>, data<Out>(out),
             out.row_stride, data<Bias>(bias), out.rows(), out.cols());
    });
  });
}

void split(Device& device, const Parts& to, const PartOrder& order, const Tensor& x) {
  with_dtype<float, bf16>("linear", x.dtype, [&]<class T>(T) {
    launch(device, grid_of(x), threads, 0, split_elements<gpu_t<T>>, to, order, data<T>(x), x.row_stride,
           x.rows(), x.cols());
  });
}

int64_t round_up(int64_t n, int64_t unit) {
  return (n + unit - 1) / unit * unit;
}

// Layouts of the parts of a matrix: side by side, [rows, parts * cols], and below one another, [parts * rows,
// cols].
struct SideBySide {
  int64_t rows, cols, count, row_stride;
  SideBySide(const Tensor& x, const PartOrder& order)
      : rows(x.rows()), cols(x.cols()), count(order.count), row_stride(round_up(count * cols, 8)) {}
  int64_t elements() const { return rows * row_stride; }
  Parts parts(__nv_bfloat16* data) const { return {data, cols, row_stride}; }
  Tensor tensor(__nv_bfloat16* data) const {
    return Tensor(data, DType::bf16, {rows, row_stride}).columns(0, count * cols);
  }
};
struct Stacked {
  int64_t rows, cols, count;
  Stacked(const Tensor& x, const PartOrder& order) : rows(x.rows()), cols(x.cols()), count(order.count) {}
  int64_t elements() const { return count * rows * cols; }
  Parts parts(__nv_bfloat16* data) const { return {data, rows * cols, cols}; }
  Tensor tensor(__nv_bfloat16* data) const { return Tensor(data, DType::bf16, {count * rows, cols}); }
};

// The parts of x alone, in the workspace.
template <class Space>
Tensor split_into(Device& device, const Tensor& x, const PartOrder& order) {
  const Space space(x, order);
  auto* memory = static_cast<__nv_bfloat16*>(
      device.cuda_context().workspace(static_cast<size_t>(space.elements()) * sizeof(bf16)));
  split(device, space.parts(memory), order, x);
  return space.tensor(memory);
}

// out (=|+=) x w^T for an f32 w and many rows of bf16 x: one product for each part of w.
void multiply_by_parts(Device& device, const LinearForward& a) {
  const int64_t O = a.w.data.rows();
  const Tensor w = split_into<Stacked>(device, a.w.data, smallest_first);
  for (int part = 0; part < parts; ++part)
    gemm(device, {.M = a.x.rows(),
                  .N = O,
                  .K = a.x.cols(),
                  .a = matrix(a.x),
                  .b = transposed(w.slice(part * O, O)),
                  .c = matrix(a.out),
                  .accumulate = a.accumulate || a.bias || part > 0});
}

}  // namespace

void linear_forward(Device& device, const LinearForward& a) {
  check_dtype("linear_forward", a.x.dtype);
  if (a.bias) write_bias(device, a.out, a.bias);
  const bool mixed = a.w.dtype() != a.x.dtype;
  if (mixed && a.x.rows() > skinny_mixed_rows && a.out.count() > 0) return multiply_by_parts(device, a);
  gemm(device, {.M = a.x.rows(),
                .N = a.w.data.rows(),
                .K = a.x.cols(),
                .a = matrix(a.x),
                .b = transposed(a.w.data),
                .c = matrix(a.out),
                .accumulate = a.accumulate || a.bias});
}

void linear_backward_input(Device& device, const LinearBackwardInput& a) {
  check_dtype("linear_backward_input", a.dx.dtype);
  Tensor dout = a.dout, w = a.w.data;
  if (a.dx.count() > 0 && dout.dtype != a.dx.dtype) {
    const bool wide = w.dtype != a.dx.dtype;
    const PartOrder dout_order = wide ? dout_order_f32 : dout_order_bf16,
                    w_order = wide ? weight_order_f32 : weight_order_bf16;
    const SideBySide dout_space(dout, dout_order);
    const Stacked w_space(w, w_order);
    Workspace sizes;
    sizes.take<__nv_bfloat16>(dout_space.elements()), sizes.take<__nv_bfloat16>(w_space.elements());
    Workspace workspace(device.cuda_context().workspace(sizes.bytes()));
    auto* dout_parts = workspace.take<__nv_bfloat16>(dout_space.elements());
    auto* w_parts = workspace.take<__nv_bfloat16>(w_space.elements());
    split(device, dout_space.parts(dout_parts), dout_order, dout);
    split(device, w_space.parts(w_parts), w_order, w);
    dout = dout_space.tensor(dout_parts), w = w_space.tensor(w_parts);
  }
  gemm(device, {.M = a.dx.rows(),
                .N = a.dx.cols(),
                .K = w.rows(),
                .a = matrix(dout),
                .b = matrix(w),
                .c = matrix(a.dx),
                .accumulate = a.accumulate});
}

void linear_backward_weight(Device& device, const LinearBackwardWeight& a) {
  check_dtype("linear_backward_weight", a.x.dtype);
  const auto multiply = [&](const Tensor& dout, bool accumulate) {
    gemm(device, {.M = a.dw.rows(),
                  .N = a.dw.cols(),
                  .K = a.x.rows(),
                  .a = transposed(dout),
                  .b = matrix(a.x),
                  .c = matrix(a.dw),
                  .accumulate = accumulate});
  };
  if (a.dout.dtype == a.x.dtype || a.x.rows() == 0) {
    multiply(a.dout, a.accumulate);
  } else {
    const int64_t O = a.dout.cols();
    const Tensor dout = split_into<SideBySide>(device, a.dout, smallest_first);
    for (int part = 0; part < parts; ++part) multiply(dout.columns(part * O, O), a.accumulate || part > 0);
  }
  if (!a.dbias) return;
  with_dtype<float, bf16>("linear_backward_weight", a.dout.dtype, [&]<class T>(T) {
    const auto blocks = static_cast<unsigned>(ceil_div(a.dout.cols(), warp_size));
    launch(device, dim3(blocks), sum_warps * warp_size, 0, sum_rows<gpu_t<T>>, data<float>(a.dbias),
           data<T>(a.dout), a.dout.row_stride, a.dout.rows(), a.dout.cols(), a.accumulate);
  });
}

}  // namespace fathom::cuda
