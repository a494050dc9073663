// The matrix products behind the dense ops of the cuda backend: few rows by a kernel that reads the weights
// at the memory's speed, the rest by cuBLASLt, and what cuBLASLt does not take by a plain tiled kernel. The
// same inputs give the same bits; rows of a product of few rows do not depend on how many they are.
#pragma once
#include "tensor/cuda/blas.h"
#include "tensor/device.h"
#include "tensor/tensor.h"

namespace fathom::cuda {

// The rows of t as they are, and read as columns.
inline Matrix matrix(const Tensor& t) {
  return {.data = t.data, .dtype = t.dtype, .row_stride = t.row_stride};
}
inline Matrix transposed(const Tensor& t) {
  return {.data = t.data, .dtype = t.dtype, .row_stride = t.row_stride, .transposed = true};
}

// Any sizes, zero too.
void gemm(Device& device, const Gemm& g);

// The two kernels of our own. thin_gemm: false, with nothing launched, when it does not take this product (it
// takes at most 16 rows of bf16, at addresses and strides fit for 16-byte loads).
bool thin_gemm(const Device& device, const Gemm& g);
void plain_gemm(const Device& device, const Gemm& g);

}  // namespace fathom::cuda
