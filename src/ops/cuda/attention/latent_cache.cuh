// The paged latent cache as kernels see it.
#pragma once
#include "ops/cuda/kernel.cuh"

namespace fathom::cuda {

template <class T>
struct LatentCache {
  T* pages;
  int64_t stride;  // from one cached row to the next
  const int32_t* block_table;
  int64_t table_stride;
  int page;

  // The cached row of token t of sequence b.
  __device__ T* row(int b, int64_t t) const {
    return pages +
           (static_cast<int64_t>(block_table[b * table_stride + t / page]) * page + t % page) * stride;
  }
};

template <class T>
LatentCache<gpu_t<T>> latent_cache_of(const Tensor& pages, const Tensor& block_table) {
  return {data<T>(pages), pages.row_stride, data<int32_t>(block_table), block_table.row_stride,
          static_cast<int>(pages.shape[1])};
}

}  // namespace fathom::cuda
