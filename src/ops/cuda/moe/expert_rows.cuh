// Sums of rows in expert order; a thread handles a few neighbouring columns.
#pragma once
#include "ops/cuda/vec.cuh"
#include "ops/expert_sort.h"

namespace fathom::cuda {

constexpr int permute_threads = 256;

// A thread's row and first column.
struct Position {
  int64_t row, column;
};
template <int n>
__device__ Position position_in(int64_t C) {
  const int64_t per_row = C / n, i = static_cast<int64_t>(blockIdx.x) * permute_threads + threadIdx.x;
  return {i / per_row, i % per_row * n};
}

// out[n] = base[n] + sum over k of weights[n, k] * rows[row_of[n, k]]; weights may be absent (1), base too
// (0). A row that is nowhere is left out.
template <int n, class T>
__global__ void sum_expert_rows(T* out, int64_t out_stride, const T* rows, int64_t rows_stride,
                                const float* weights, int64_t weights_stride, const int32_t* row_of,
                                const T* base, int64_t base_stride, int64_t N, int64_t C, int K) {
  wait_for_previous_kernel();
  const auto [t, c] = position_in<n>(C);
  if (t >= N) return;
  Vec<n> sum{};
  if (base) sum = load<n>(base + t * base_stride + c);
  for (int k = 0; k < K; ++k) {
    const int m = row_of[t * K + k];
    if (m == ExpertSort::nowhere) continue;
    const float weight = weights ? weights[t * weights_stride + k] : 1;
    const Vec<n> row = load<n>(rows + m * rows_stride + c);
    for (int j = 0; j < n; ++j) sum.v[j] += weight * row.v[j];
  }
  store(out + t * out_stride + c, sum);
}

inline dim3 permute_grid(const Tensor& t, int n) {
  return dim3(static_cast<unsigned>(ceil_div(t.count() / n, permute_threads)));
}

}  // namespace fathom::cuda
