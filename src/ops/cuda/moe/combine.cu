#include "ops/combine.h"

#include "ops/cuda/moe/expert_rows.cuh"

namespace fathom::cuda {
namespace {

// A block per slot. drows may alias rows: each element is read before the same thread writes it.
template <int n, class T>
__global__ void combine_backward_kernel(T* drows, int64_t drows_stride, float* dweights, int64_t dw_stride,
                                        const T* dout, int64_t dout_stride, const T* rows,
                                        int64_t rows_stride, const float* weights, int64_t w_stride,
                                        const int32_t* row_of, int64_t C, int K) {
  const int64_t slot = blockIdx.x, t = slot / K, k = slot % K, m = row_of[slot];
  if (m == ExpertSort::nowhere) {
    if (threadIdx.x == 0) dweights[t * dw_stride + k] = 0;
    return;
  }
  const float weight = weights[t * w_stride + k];
  float dot = 0;
  for (int64_t c = threadIdx.x * n; c < C; c += blockDim.x * n) {
    const Vec<n> d = load<n>(dout + t * dout_stride + c), row = load<n>(rows + m * rows_stride + c);
    Vec<n> drow;
    for (int j = 0; j < n; ++j) dot += d.v[j] * row.v[j], drow.v[j] = weight * d.v[j];
    store(drows + m * drows_stride + c, drow);
  }
  dot = block_sum(dot);
  if (threadIdx.x == 0) dweights[t * dw_stride + k] = dot;
}

}  // namespace

void combine(Device& device, const Combine& a) {
  with_dtype<float, bf16>("combine", a.out.dtype, [&]<class T>(T) {
    with_vec_width(all_vectorizable(a.out, a.rows, a.shared), [&](auto n) {
      launch_chained(device, permute_grid(a.out, n), permute_threads, 0, sum_expert_rows<n, gpu_t<T>>,
                     data<T>(a.out), a.out.row_stride, data<T>(a.rows), a.rows.row_stride,
                     data<float>(a.weights), a.weights.row_stride, data<int32_t>(a.row_of), data<T>(a.shared),
                     a.shared.row_stride, a.out.rows(), a.out.cols(), a.row_of.cols());
    });
  });
}

void combine_backward(Device& device, const CombineBackward& a) {
  with_dtype<float, bf16>("combine_backward", a.dout.dtype, [&]<class T>(T) {
    with_vec_width(all_vectorizable(a.drows, a.dout, a.rows), [&](auto n) {
      launch(device, dim3(static_cast<unsigned>(a.row_of.count())), threads_for_row(a.dout.cols(), n), 0,
             combine_backward_kernel<n, gpu_t<T>>, data<T>(a.drows), a.drows.row_stride,
             data<float>(a.dweights), a.dweights.row_stride, data<T>(a.dout), a.dout.row_stride,
             data<T>(a.rows), a.rows.row_stride, data<float>(a.weights), a.weights.row_stride,
             data<int32_t>(a.row_of), a.dout.cols(), a.row_of.cols());
    });
  });
}

}  // namespace fathom::cuda
