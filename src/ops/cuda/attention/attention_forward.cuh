// Outputs of the forward kernels, and the tensor core kernels.
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

// False, with nothing launched, for head sizes, alignments or GPUs that they do not support.
bool attention_forward_wgmma(const Device& device, const AttentionForward& a);
bool attention_forward_mma(const Device& device, const AttentionForward& a);

}  // namespace fathom::cuda
