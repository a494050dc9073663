// What the forward kernels of attention write, and those for the tensor cores.
#pragma once
#include "ops/attention.h"
#include "ops/cuda/kernel.cuh"

namespace fathom::cuda {

template <class T>
struct AttentionOutput {
  T* out;
  int64_t out_stride;  // of a (token, head) row
  float* lse;          // [N, H], may be absent
};

// False, with nothing launched, for heads or GPUs they are not built for.
bool attention_forward_wgmma(const Device& device, const AttentionForward& a);
bool attention_forward_mma(const Device& device, const AttentionForward& a);

}  // namespace fathom::cuda
