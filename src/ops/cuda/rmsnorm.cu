// One block a row. The gradient of w is a sum over rows: first within bands of rows, then over the bands,
// always in the same order.
#include "ops/rmsnorm.h"

#include "ops/cuda/vec.cuh"

namespace fathom::cuda {
namespace {

constexpr int threads = 256;
constexpr int64_t most_bands = 128;

// x * rstd is rounded to the activation type before it meets w, as in Hugging Face.
template <int n, class T>
__global__ void forward(T* out, int64_t out_stride, float* rstd, const T* x, int64_t x_stride, const T* w,
                        int64_t C, float eps) {
  const int64_t row = blockIdx.x;
  x += row * x_stride, out += row * out_stride;
  float squares = 0;
  for (int64_t c = threadIdx.x * n; c < C; c += threads * n) {
    const Vec<n> v = load<n>(x + c);
    for (int j = 0; j < n; ++j) squares += v.v[j] * v.v[j];
  }
  const float r = 1 / sqrtf(block_sum(squares) / static_cast<float>(C) + eps);
  for (int64_t c = threadIdx.x * n; c < C; c += threads * n) {
    const Vec<n> v = load<n>(x + c), scale = load<n>(w + c);
    Vec<n> y;
    for (int j = 0; j < n; ++j) y.v[j] = to_float(from_float<T>(v.v[j] * r)) * scale.v[j];
    store(out + c, y);
  }
  if (rstd && threadIdx.x == 0) rstd[row] = r;
}

// With y = x * rstd: dx = rstd * (g - y * mean(g * y)), g = dout * w.
template <int n, class T>
__global__ void backward_input(T* dx, int64_t dx_stride, const T* dout, int64_t dout_stride, const T* x,
                               int64_t x_stride, const T* w, const float* rstd, int64_t C) {
  const int64_t row = blockIdx.x;
  x += row * x_stride, dx += row * dx_stride, dout += row * dout_stride;
  const float r = rstd[row];
  float dot = 0;
  for (int64_t c = threadIdx.x * n; c < C; c += threads * n) {
    const Vec<n> v = load<n>(x + c), d = load<n>(dout + c), scale = load<n>(w + c);
    for (int j = 0; j < n; ++j) dot += d.v[j] * scale.v[j] * v.v[j] * r;
  }
  const float mean = block_sum(dot) / static_cast<float>(C);
  for (int64_t c = threadIdx.x * n; c < C; c += threads * n) {
    const Vec<n> v = load<n>(x + c), d = load<n>(dout + c), scale = load<n>(w + c);
    Vec<n> y;
    for (int j = 0; j < n; ++j) y.v[j] = r * (d.v[j] * scale.v[j] - v.v[j] * r * mean);
    store(dx + c, y);
  }
}

// bands[b, c] = sum over the rows of band b of dout * x * rstd.
template <class T>
__global__ void backward_weight(float* bands, const T* dout, int64_t dout_stride, const T* x,
                                int64_t x_stride, const float* rstd, int64_t N, int64_t C) {
  const int64_t c = static_cast<int64_t>(blockIdx.x) * threads + threadIdx.x;
  const int64_t share = (N + gridDim.y - 1) / gridDim.y, begin = blockIdx.y * share,
                end = begin + share < N ? begin + share : N;
  if (c >= C) return;
  float sum = 0;
#pragma unroll 4
  for (int64_t row = begin; row < end; ++row)
    sum += to_float(dout[row * dout_stride + c]) * to_float(x[row * x_stride + c]) * rstd[row];
  bands[blockIdx.y * C + c] = sum;
}

__global__ void add_bands(float* dw, const float* bands, int64_t count, int64_t C) {
  const int64_t c = static_cast<int64_t>(blockIdx.x) * threads + threadIdx.x;
  if (c >= C) return;
  float sum = 0;
  for (int64_t b = 0; b < count; ++b) sum += bands[b * C + c];
  dw[c] += sum;
}

}  // namespace

void rmsnorm_forward(Device& device, const RmsNormForward& a) {
  with_dtype<float, bf16>("rmsnorm_forward", a.x.dtype, [&]<class T>(T) {
    with_width(all_by_eights(a.out, a.x, a.w), [&](auto n) {
      launch(device, dim3(static_cast<unsigned>(a.x.rows())), threads, 0, forward<n, gpu_t<T>>,
             data<T>(a.out), a.out.row_stride, data<float>(a.rstd), data<T>(a.x), a.x.row_stride,
             data<T>(a.w), a.x.cols(), a.eps);
    });
  });
}

void rmsnorm_backward(Device& device, const RmsNormBackward& a) {
  const int64_t N = a.x.rows(), C = a.x.cols(), bands = std::min(most_bands, N);
  if (N == 0) return;
  auto* sums =
      static_cast<float*>(device.cuda_context().workspace(static_cast<size_t>(bands * C) * sizeof(float)));
  const auto columns = static_cast<unsigned>(blocks_for(C, threads));
  with_dtype<float, bf16>("rmsnorm_backward", a.x.dtype, [&]<class T>(T) {
    // dx may be dout, so dw comes first.
    launch(device, dim3(columns, static_cast<unsigned>(bands)), threads, 0, backward_weight<gpu_t<T>>, sums,
           data<T>(a.dout), a.dout.row_stride, data<T>(a.x), a.x.row_stride, data<float>(a.rstd), N, C);
    launch(device, dim3(columns), threads, 0, add_bands, data<float>(a.dw), sums, bands, C);
    with_width(all_by_eights(a.dx, a.dout, a.x, a.w), [&](auto n) {
      launch(device, dim3(static_cast<unsigned>(N)), threads, 0, backward_input<n, gpu_t<T>>, data<T>(a.dx),
             a.dx.row_stride, data<T>(a.dout), a.dout.row_stride, data<T>(a.x), a.x.row_stride, data<T>(a.w),
             data<float>(a.rstd), C);
    });
  });
}

}  // namespace fathom::cuda
