// Where a token lies in the paged latent cache, for kernels on the host.
#pragma once
#include "tensor/tensor.h"

namespace fathom {

// The cached row of token t of sequence b.
template <class T>
T* cached_row(const Tensor& pages, const Tensor& block_table, int64_t b, int64_t t) {
  const int64_t page = pages.shape[1];
  return pages.row<T>(block_table.row<int32_t>(b)[t / page] * page + t % page);
}

}  // namespace fathom
