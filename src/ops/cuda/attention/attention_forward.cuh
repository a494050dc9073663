// Outputs of the forward kernels, and the tensor core kernels.
#pragma once
#include "ops/attention.h"
#include "ops/cuda/row_tile.cuh"

namespace fathom::cuda {

template <class T>
struct AttentionOutput {
  T* out;
  int64_t out_stride;  // of a (token, head) row
  float* lse;          // [N, H], may be absent
};

// What queries without keys attend to: nothing. Called by at least the first Dv threads of the block.
template <class T>
__device__ void store_nothing(const AttentionOutput<T>& o, const RowTile& tile, int h, int H, int Dv) {
  for (int64_t n = tile.row; n < tile.end; ++n) {
    for (int c = threadIdx.x; c < Dv; c += blockDim.x)
      o.out[(n * H + h) * o.out_stride + c] = from_float<T>(0);
    if (o.lse && threadIdx.x == 0) o.lse[n * H + h] = -INFINITY;
  }
}

// Calls body(std::bool_constant<causal>).
template <class Body>
void with_mask(bool causal, const Body& body) {
  if (causal)
    body(std::true_type());
  else
    body(std::false_type());
}

// False, with nothing launched, for head sizes, alignments or GPUs that they do not support.
bool attention_forward_wgmma(const Device& device, const AttentionForward& a);
bool attention_forward_mma(const Device& device, const AttentionForward& a);

}  // namespace fathom::cuda
