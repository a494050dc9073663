#include "ops/residual_add.h"

#include "ops/cuda/vec.cuh"

namespace fathom::cuda {
namespace {

constexpr int threads = 256;

template <int n, class T>
__global__ void add_rows(T* stream, int64_t stream_stride, const T* x, int64_t x_stride, int64_t N,
                         int64_t C) {
  wait_for_previous_kernel();
  const int64_t per_row = C / n, i = static_cast<int64_t>(blockIdx.x) * threads + threadIdx.x;
  if (i >= N * per_row) return;
  const int64_t row = i / per_row, c = i % per_row * n;
  T* to = stream + row * stream_stride + c;
  Vec<n> sum = load<n>(to);
  const Vec<n> y = load<n>(x + row * x_stride + c);
  for (int j = 0; j < n; ++j) sum.v[j] += y.v[j];
  store(to, sum);
}

}  // namespace

void residual_add(Device& device, const ResidualAdd& a) {
  with_dtype<float, bf16>("residual_add", a.x.dtype, [&]<class T>(T) {
    with_vec_width(all_vectorizable(a.stream, a.x), [&](auto n) {
      launch_chained(device, dim3(static_cast<unsigned>(ceil_div(a.x.count() / n, threads))), threads, 0,
                     add_rows<n, gpu_t<T>>, data<T>(a.stream), a.stream.row_stride, data<T>(a.x),
                     a.x.row_stride, a.x.rows(), a.x.cols());
    });
  });
}

}  // namespace fathom::cuda
