// Outputs of the backward kernels, and the tensor core kernels.
#pragma once
#include "ops/attention.h"
#include "ops/cuda/kernel.cuh"

namespace fathom::cuda {

template <class T>
struct AttentionGradients {
  T *dq, *dkv;
  int64_t dq_stride, dkv_stride;  // of a (token, head) row
  const T* dout;
  int64_t dout_stride;
  const float* lse;    // [N, H]
  const float* delta;  // [N, H]: dout . out
  float* rope_heads;   // [G, M, Dr]: dk_rope of each head of keys
  int64_t M;
};

// Write dq, dkv and rope_heads. False, with nothing launched, for head sizes, alignments or GPUs that they do
// not support.
bool attention_backward_wgmma(const Device& device, const AttentionBackward& a,
                              const AttentionGradients<__nv_bfloat16>& g);
bool attention_backward_mma(const Device& device, const AttentionBackward& a,
                            const AttentionGradients<__nv_bfloat16>& g);

}  // namespace fathom::cuda
