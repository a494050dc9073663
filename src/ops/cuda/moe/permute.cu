#include "ops/permute.h"

#include "ops/cuda/moe/expert_rows.cuh"

namespace fathom::cuda {
namespace {

template <int n, class T>
__global__ void gather(T* out, int64_t out_stride, const T* x, int64_t x_stride, const int32_t* token_of,
                       int64_t M, int64_t C) {
  wait_for_previous_kernel();
  const auto [m, c] = position_in<n>(C);
  if (m < M) store(out + m * out_stride + c, load<n>(x + token_of[m] * x_stride + c));
}

}  // namespace

void permute(Device& device, const Permute& a) {
  with_dtype<float, bf16>("permute", a.x.dtype, [&]<class T>(T) {
    with_vec_width(all_vectorizable(a.out, a.x), [&](auto n) {
      launch_chained(device, permute_grid(a.out, n), permute_threads, 0, gather<n, gpu_t<T>>, data<T>(a.out),
                     a.out.row_stride, data<T>(a.x), a.x.row_stride, data<int32_t>(a.token_of), a.out.rows(),
                     a.out.cols());
    });
  });
}

void permute_backward(Device& device, const PermuteBackward& a) {
  with_dtype<float, bf16>("permute_backward", a.dx.dtype, [&]<class T>(T) {
    with_vec_width(all_vectorizable(a.dx, a.dout), [&](auto n) {
      launch_chained(device, permute_grid(a.dx, n), permute_threads, 0, sum_expert_rows<n, gpu_t<T>>,
                     data<T>(a.dx), a.dx.row_stride, data<T>(a.dout), a.dout.row_stride, nullptr, 0,
                     data<int32_t>(a.row_of), nullptr, 0, a.dx.rows(), a.dx.cols(), a.row_of.cols());
    });
  });
}

}  // namespace fathom::cuda
