// Linear layers as GEMMs. An f32 gradient (the router's) with bf16 weights or activations keeps its precision
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

// columns[n] = [high | middle | low], whose sum is dout[n].
__global__ void split(__nv_bfloat16* columns, int64_t stride, const float* dout, int64_t dout_stride,
                      int64_t N, int64_t O) {
  const int64_t i = static_cast<int64_t>(blockIdx.x) * threads + threadIdx.x;
  if (i >= N * O) return;
  const int64_t n = i / O, o = i % O;
  float rest = dout[n * dout_stride + o];
  for (int part = 0; part < parts; ++part) {
    const __nv_bfloat16 high = from_float<__nv_bfloat16>(rest);
    columns[n * stride + part * O + o] = high;
    rest -= to_float(high);
  }
}

// sums += column sums of x. A block takes 32 columns, its warps take turns at the rows.
constexpr int sum_warps = 32;
template <class T>
__global__ void add_rows(float* sums, const T* x, int64_t stride, int64_t N, int64_t O) {
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
  sums[o] += sum;
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

// The three parts of dout side by side, [N, 3 O], in the workspace; after them, if w is given, three copies
// of w below each other, [3 O, I].
struct Parts {
  Tensor dout, w;
};
Parts split_parts(Device& device, const Tensor& dout, const Tensor& w) {
  const int64_t N = dout.rows(), O = dout.cols(), I = w ? w.cols() : 0;
  const int64_t stride = (parts * O + 7) / 8 * 8;
  Workspace sizes;
  sizes.take<__nv_bfloat16>(N * stride), sizes.take<__nv_bfloat16>(parts * O * I);
  Workspace workspace(device.cuda_context().workspace(sizes.bytes()));
  Parts p;
  p.dout = Tensor(workspace.take<__nv_bfloat16>(N * stride), DType::bf16, {N, stride}).columns(0, parts * O);
  launch(device, grid_of(dout), threads, 0, split, data<bf16>(p.dout), stride, data<float>(dout),
         dout.row_stride, N, O);
  if (!w) return p;
  p.w = Tensor(workspace.take<__nv_bfloat16>(parts * O * I), DType::bf16, {parts * O, I});
  for (int part = 0; part < parts; ++part) {
    const size_t row_bytes = static_cast<size_t>(I) * sizeof(bf16);
    cuda_check(
        cudaMemcpy2DAsync(p.w.row<bf16>(part * O), row_bytes, w.data,
                          static_cast<size_t>(w.row_stride) * sizeof(bf16), row_bytes, static_cast<size_t>(O),
                          cudaMemcpyDeviceToDevice, device.cuda_context().stream()),
        "copying weights");
  }
  return p;
}

}  // namespace

void linear_forward(Device& device, const LinearForward& a) {
  check_dtype("linear_forward", a.x.dtype);
  if (a.bias) write_bias(device, a.out, a.bias);
  gemm(device, {.M = a.x.rows(),
                .N = a.w.data.rows(),
                .K = a.x.cols(),
                .a = matrix(a.x),
                .b = transposed(a.w.data),
                .c = matrix(a.out),
                .accumulate = static_cast<bool>(a.bias)});
}

void linear_backward_input(Device& device, const LinearBackwardInput& a) {
  check_dtype("linear_backward_input", a.dx.dtype);
  Parts p{a.dout, a.w.data};
  if (a.dx.count() > 0 && a.dout.dtype != a.w.data.dtype) p = split_parts(device, a.dout, a.w.data);
  gemm(device, {.M = a.dx.rows(),
                .N = a.dx.cols(),
                .K = p.w.rows(),
                .a = matrix(p.dout),
                .b = matrix(p.w),
                .c = matrix(a.dx)});
}

void linear_backward_weight(Device& device, const LinearBackwardWeight& a) {
  check_dtype("linear_backward_weight", a.x.dtype);
  if (a.x.rows() == 0) return;
  const auto add = [&](const Tensor& dout) {
    gemm(device, {.M = a.dw.rows(),
                  .N = a.dw.cols(),
                  .K = a.x.rows(),
                  .a = transposed(dout),
                  .b = matrix(a.x),
                  .c = matrix(a.dw),
                  .accumulate = true});
  };
  if (a.dout.dtype == a.x.dtype) {
    add(a.dout);
  } else {
    const int64_t O = a.dout.cols();
    const Tensor dout = split_parts(device, a.dout, {}).dout;
    for (int part = parts; part-- > 0;) add(dout.columns(part * O, O));  // the smallest first
  }
  if (!a.dbias) return;
  with_dtype<float, bf16>("linear_backward_weight", a.dout.dtype, [&]<class T>(T) {
    const auto blocks = static_cast<unsigned>(ceil_div(a.dout.cols(), warp_size));
    launch(device, dim3(blocks), sum_warps * warp_size, 0, add_rows<gpu_t<T>>, data<float>(a.dbias),
           data<T>(a.dout), a.dout.row_stride, a.dout.rows(), a.dout.cols());
  });
}

}  // namespace fathom::cuda
