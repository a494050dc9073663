// Rows between token order and expert order; a thread moves a few neighbouring columns.
#include "ops/permute.h"

#include "ops/cuda/vec.cuh"

namespace fathom::cuda {
namespace {

constexpr int threads = 256;

// Where a thread works: row and first column.
struct Place {
  int64_t row, column;
};
template <int n>
__device__ Place place(int64_t C) {
  const int64_t per_row = C / n, i = static_cast<int64_t>(blockIdx.x) * threads + threadIdx.x;
  return {i / per_row, i % per_row * n};
}

template <int n, class T>
__global__ void gather(T* out, int64_t out_stride, const T* x, int64_t x_stride, const int32_t* token_of,
                       int64_t M, int64_t C) {
  const auto [m, c] = place<n>(C);
  if (m < M) store(out + m * out_stride + c, load<n>(x + token_of[m] * x_stride + c));
}

// out[n] = base[n] + sum over k of weights[n, k] * rows[row_of[n, k]], or the plain sum without weights.
template <int n, class T>
__global__ void add_choices(T* out, int64_t out_stride, const T* rows, int64_t rows_stride,
                            const float* weights, int64_t weights_stride, const int32_t* row_of,
                            const T* base, int64_t base_stride, int64_t N, int64_t C, int K) {
  const auto [t, c] = place<n>(C);
  if (t >= N) return;
  Vec<n> sum{};
  if (base) sum = load<n>(base + t * base_stride + c);
  for (int k = 0; k < K; ++k) {
    const float weight = weights ? weights[t * weights_stride + k] : 1;
    const Vec<n> row = load<n>(rows + row_of[t * K + k] * rows_stride + c);
    for (int j = 0; j < n; ++j) sum.v[j] += weight * row.v[j];
  }
  store(out + t * out_stride + c, sum);
}

// A block a slot. drows may be rows: each element is read before it is written, by the same thread.
template <int n, class T>
__global__ void combine_back(T* drows, int64_t drows_stride, float* dweights, int64_t dw_stride,
                             const T* dout, int64_t dout_stride, const T* rows, int64_t rows_stride,
                             const float* weights, int64_t w_stride, const int32_t* row_of, int64_t C,
                             int K) {
  const int64_t slot = blockIdx.x, t = slot / K, k = slot % K, m = row_of[slot];
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

dim3 grid_of(const Tensor& t, int n) {
  return dim3(static_cast<unsigned>(blocks_for(t.count() / n, threads)));
}

}  // namespace

void permute(Device& device, const Permute& a) {
  with_dtype<float, bf16>("permute", a.x.dtype, [&]<class T>(T) {
    with_width(all_by_eights(a.out, a.x), [&](auto n) {
      launch(device, grid_of(a.out, n), threads, 0, gather<n, gpu_t<T>>, data<T>(a.out), a.out.row_stride,
             data<T>(a.x), a.x.row_stride, data<int32_t>(a.token_of), a.out.rows(), a.out.cols());
    });
  });
}

void permute_backward(Device& device, const PermuteBackward& a) {
  with_dtype<float, bf16>("permute_backward", a.dx.dtype, [&]<class T>(T) {
    with_width(all_by_eights(a.dx, a.dout), [&](auto n) {
      launch(device, grid_of(a.dx, n), threads, 0, add_choices<n, gpu_t<T>>, data<T>(a.dx), a.dx.row_stride,
             data<T>(a.dout), a.dout.row_stride, nullptr, 0, data<int32_t>(a.row_of), nullptr, 0, a.dx.rows(),
             a.dx.cols(), a.row_of.cols());
    });
  });
}

void combine(Device& device, const Combine& a) {
  with_dtype<float, bf16>("combine", a.out.dtype, [&]<class T>(T) {
    with_width(all_by_eights(a.out, a.rows, a.shared), [&](auto n) {
      launch(device, grid_of(a.out, n), threads, 0, add_choices<n, gpu_t<T>>, data<T>(a.out),
             a.out.row_stride, data<T>(a.rows), a.rows.row_stride, data<float>(a.weights),
             a.weights.row_stride, data<int32_t>(a.row_of), data<T>(a.shared), a.shared.row_stride,
             a.out.rows(), a.out.cols(), a.row_of.cols());
    });
  });
}

void combine_backward(Device& device, const CombineBackward& a) {
  with_dtype<float, bf16>("combine_backward", a.dout.dtype, [&]<class T>(T) {
    with_width(all_by_eights(a.drows, a.dout, a.rows), [&](auto n) {
      launch(device, dim3(static_cast<unsigned>(a.row_of.count())), threads_of_row(a.dout.cols(), n), 0,
             combine_back<n, gpu_t<T>>, data<T>(a.drows), a.drows.row_stride, data<float>(a.dweights),
             a.dweights.row_stride, data<T>(a.dout), a.dout.row_stride, data<T>(a.rows), a.rows.row_stride,
             data<float>(a.weights), a.weights.row_stride, data<int32_t>(a.row_of), a.dout.cols(),
             a.row_of.cols());
    });
  });
}

}  // namespace fathom::cuda
