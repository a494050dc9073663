// The GEMM of all dense ops of the CPU backend, C (=|+=) alpha op(A) op(B) + bias: any mix of f32 and bf16,
// f32 accumulation, one rounding at the end. bf16 times bf16 uses the processor's bf16 units where it has
// them; with an f32 operand nothing is rounded to bf16. Results do not depend on the number of threads.
#pragma once
#include <cstddef>
#include <span>

#include "tensor/device.h"
#include "tensor/tensor.h"

namespace fathom::cpu {

// op(X): element (i, j) is data[i * row_stride + j], or data[j * row_stride + i] if transposed.
struct Matrix {
  const void* data = nullptr;
  DType dtype = DType::f32;  // f32 or bf16
  int64_t row_stride = 0;
  bool transposed = false;
};

// t, and its transpose.
inline Matrix matrix(const Tensor& t) {
  return {.data = t.data, .dtype = t.dtype, .row_stride = t.row_stride};
}
inline Matrix transposed(const Tensor& t) {
  return {.data = t.data, .dtype = t.dtype, .row_stride = t.row_stride, .transposed = true};
}

struct Gemm {
  int64_t M = 0, N = 0, K = 0;
  Matrix a;           // op(A) [M, K]
  Matrix b;           // op(B) [K, N]
  void* c = nullptr;  // [M, N], not overlapping a or b
  DType c_dtype = DType::f32;
  int64_t c_stride = 0;
  float alpha = 1;
  bool accumulate = false;     // C += instead of C =
  const void* bias = nullptr;  // [N], added to every row
  DType bias_dtype = DType::f32;
};

// Computes the GEMMs on all of the device's threads; their sizes may differ, and be zero. Uses the device's
// shared scratch. No C may overlap another.
void gemm_batch(Device& device, std::span<const Gemm> batch);
inline void gemm(Device& device, const Gemm& g) {
  gemm_batch(device, {&g, 1});
}

// One GEMM on the calling thread, for use inside a parallel task. `scratch` holds gemm_scratch(g) bytes,
// 64-byte aligned; that size depends on g's sizes and dtypes only.
size_t gemm_scratch(const Gemm& g);
void gemm_serial(const Gemm& g, void* scratch);

}  // namespace fathom::cpu
