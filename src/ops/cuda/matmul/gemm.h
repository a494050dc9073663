// The GEMMs behind the dense ops of the CUDA backend: few rows by a kernel that streams the weights at memory
// bandwidth, the rest by cuBLASLt, and what cuBLASLt does not support by the SIMT kernel. The same inputs
// give the same bits; rows of a skinny GEMM do not depend on how many there are.
#pragma once
#include "tensor/cuda/blas.h"
#include "tensor/device.h"
#include "tensor/tensor.h"

namespace fathom::cuda {

// t, and its transpose.
inline Matrix matrix(const Tensor& t) {
  return {.data = t.data, .dtype = t.dtype, .row_stride = t.row_stride};
}
inline Matrix transposed(const Tensor& t) {
  return {.data = t.data, .dtype = t.dtype, .row_stride = t.row_stride, .transposed = true};
}

// Any sizes, including zero.
void gemm(Device& device, const Gemm& g);

// Our own kernels. skinny_gemm: false, with nothing launched, for products it does not support: it takes up
// to 16 rows of bf16, with addresses and strides aligned for 16-byte loads.
bool skinny_gemm(const Device& device, const Gemm& g);
// The same for bf16 rows, an f32 weight and an f32 result, up to skinny_mixed_rows rows.
constexpr int64_t skinny_mixed_rows = 512;
bool skinny_mixed_gemm(const Device& device, const Gemm& g);
void simt_gemm(const Device& device, const Gemm& g);

}  // namespace fathom::cuda
