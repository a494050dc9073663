// One block a row: rows are read once from memory, and again from the cache.
#include "ops/rmsnorm.h"

#include "ops/cuda/kernel.cuh"

namespace fathom::cuda {
namespace {

constexpr int threads = 256;

// out and x have row strides; x * rstd is rounded to the activation type before it meets w, as in Hugging
// Face.
template <class T>
__global__ void forward(T* out, int64_t out_stride, float* rstd, const T* x, int64_t x_stride, const T* w,
                        int C, float eps) {
  const int64_t n = blockIdx.x;
  x += n * x_stride, out += n * out_stride;
  float squares = 0;
  for (int c = threadIdx.x; c < C; c += threads) squares += to_float(x[c]) * to_float(x[c]);
  const float r = rsqrtf(block_sum(squares) / static_cast<float>(C) + eps);
  for (int c = threadIdx.x; c < C; c += threads)
    out[c] = from_float<T>(to_float(from_float<T>(to_float(x[c]) * r)) * to_float(w[c]));
  if (rstd && threadIdx.x == 0) rstd[n] = r;
}

}  // namespace

void rmsnorm_forward(Device& device, const RmsNormForward& a) {
  with_dtype<float, bf16>("rmsnorm_forward", a.x.dtype, [&]<class T>(T) {
    launch(device, dim3(static_cast<unsigned>(a.x.rows())), threads, 0, forward<gpu_t<T>>, data<T>(a.out),
           a.out.row_stride, a.rstd ? data<float>(a.rstd) : nullptr, data<T>(a.x), a.x.row_stride,
           data<T>(a.w), a.x.cols(), a.eps);
  });
}

}  // namespace fathom::cuda
