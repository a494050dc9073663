// Forward: a block per row. Backward: a block per chunk of rows; the gradient of w is summed within chunks,
// then over them, always in the same order.
#include "ops/rmsnorm.h"

#include "ops/cuda/vec.cuh"

namespace fathom::cuda {
namespace {

constexpr int64_t max_bands = 1024;  // enough blocks to hide the latency of each row's sum

// x * rstd is rounded to the activation type before the product with w, as in Hugging Face.
template <int n, class T>
__global__ void forward(T* out, int64_t out_stride, float* rstd, const T* x, int64_t x_stride, const T* w,
                        int64_t C, float eps) {
  wait_for_previous_kernel();
  const int64_t row = blockIdx.x;
  x += row * x_stride, out += row * out_stride;
  float squares = 0;
  for (int64_t c = threadIdx.x * n; c < C; c += blockDim.x * n) {
    const Vec<n> v = load<n>(x + c);
    for (int j = 0; j < n; ++j) squares += v.v[j] * v.v[j];
  }
  const float r = 1 / sqrtf(block_sum(squares) / static_cast<float>(C) + eps);
  for (int64_t c = threadIdx.x * n; c < C; c += blockDim.x * n) {
    const Vec<n> v = load<n>(x + c), scale = load<n>(w + c);
    Vec<n> y;
    for (int j = 0; j < n; ++j) y.v[j] = to_float(from_float<T>(v.v[j] * r)) * scale.v[j];
    store(out + c, y);
  }
  if (rstd && threadIdx.x == 0) rstd[row] = r;
}

// With y = x * rstd: dx = rstd * (g - y * mean(g * y)), g = dout * w; chunks[b] = sum over the chunk's rows
// of dout * y. dx may be dout or the residual: each element is read before it is written, by the same thread.
template <int n, class T>
__global__ void backward(T* dx, int64_t dx_stride, const T* residual, int64_t residual_stride, float* chunks,
                         const T* dout, int64_t dout_stride, const T* x, int64_t x_stride, const T* w,
                         const float* rstd, int64_t N, int64_t C) {
  extern __shared__ __align__(16) float dw[];  // [C], every thread its own columns
  for (int64_t c = threadIdx.x * n; c < C; c += blockDim.x * n) store(dw + c, Vec<n>{});
  for (int64_t row = blockIdx.x; row < N; row += gridDim.x) {
    const T *x_row = x + row * x_stride, *dout_row = dout + row * dout_stride;
    const float r = rstd[row];
    float dot = 0;
    for (int64_t c = threadIdx.x * n; c < C; c += blockDim.x * n) {
      const Vec<n> v = load<n>(x_row + c), d = load<n>(dout_row + c), scale = load<n>(w + c);
      Vec<n> sum = load<n>(dw + c);
      for (int j = 0; j < n; ++j) {
        const float dy = d.v[j] * v.v[j] * r;
        sum.v[j] += dy, dot += dy * scale.v[j];
      }
      store(dw + c, sum);
    }
    const float mean = block_sum(dot) / static_cast<float>(C);
    for (int64_t c = threadIdx.x * n; c < C; c += blockDim.x * n) {
      const Vec<n> v = load<n>(x_row + c), d = load<n>(dout_row + c), scale = load<n>(w + c);
      Vec<n> y = residual ? load<n>(residual + row * residual_stride + c) : Vec<n>{};
      for (int j = 0; j < n; ++j) y.v[j] += r * (d.v[j] * scale.v[j] - v.v[j] * r * mean);
      store(dx + row * dx_stride + c, y);
    }
  }
  for (int64_t c = threadIdx.x * n; c < C; c += blockDim.x * n)
    store(chunks + blockIdx.x * C + c, load<n>(dw + c));
}

// A block takes 32 columns; a warp adds up every 32nd chunk.
__global__ void reduce_chunks(float* dw, const float* chunks, int64_t count, int64_t C, bool accumulate) {
  __shared__ float sums[warp_size][warp_size + 1];
  const int lane = threadIdx.x % warp_size, warp = threadIdx.x / warp_size;
  const int64_t c = static_cast<int64_t>(blockIdx.x) * warp_size + lane;
  float sum = 0;
  if (c < C)
    for (int64_t b = warp; b < count; b += warp_size) sum += chunks[b * C + c];
  sums[lane][warp] = sum;
  __syncthreads();
  const float all = warp_sum(sums[warp][lane]);
  const int64_t column = static_cast<int64_t>(blockIdx.x) * warp_size + warp;
  if (lane == 0 && column < C) dw[column] = accumulate ? dw[column] + all : all;
}

}  // namespace

void rmsnorm_forward(Device& device, const RmsNormForward& a) {
  with_dtype<float, bf16>("rmsnorm_forward", a.x.dtype, [&]<class T>(T) {
    with_vec_width(all_vectorizable(a.out, a.x, a.w), [&](auto n) {
      launch_chained(device, dim3(static_cast<unsigned>(a.x.rows())), threads_for_row(a.x.cols(), n), 0,
                     forward<n, gpu_t<T>>, data<T>(a.out), a.out.row_stride, data<float>(a.rstd),
                     data<T>(a.x), a.x.row_stride, data<T>(a.w), a.x.cols(), a.eps);
    });
  });
}

void rmsnorm_backward(Device& device, const RmsNormBackward& a) {
  const int64_t N = a.x.rows(), C = a.x.cols(), chunks = std::min(max_bands, N);
  auto* sums =
      static_cast<float*>(device.cuda_context().workspace(static_cast<size_t>(chunks * C) * sizeof(float)));
  with_dtype<float, bf16>("rmsnorm_backward", a.x.dtype, [&]<class T>(T) {
    with_vec_width(all_vectorizable(a.dx, a.residual, a.dout, a.x, a.w), [&](auto n) {
      launch(device, dim3(static_cast<unsigned>(chunks)), threads_for_row(C, n),
             static_cast<size_t>(C) * sizeof(float), backward<n, gpu_t<T>>, data<T>(a.dx), a.dx.row_stride,
             data<T>(a.residual), a.residual.row_stride, sums, data<T>(a.dout), a.dout.row_stride,
             data<T>(a.x), a.x.row_stride, data<T>(a.w), data<float>(a.rstd), N, C);
    });
  });
  if (!a.dw) return;
  launch(device, dim3(static_cast<unsigned>(ceil_div(C, warp_size))), warp_size * warp_size, 0, reduce_chunks,
         data<float>(a.dw), sums, chunks, C, a.accumulate_dw);
}

}  // namespace fathom::cuda
