// Blas: GEMMs with NVIDIA's cuBLASLt. The library is loaded on first use, so that the program also starts
// where it is not installed. Descriptors and the chosen algorithm are cached by shape, so that a step that
// has run once costs the host little when it runs again.
#pragma once
#include <cublasLt.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <unordered_map>

#include "tensor/cuda/context.h"
#include "tensor/dtype.h"

namespace fathom::cuda {

// op(X): element (i, j) is data[i * row_stride + j], or data[j * row_stride + i] if transposed.
struct Matrix {
  void* data = nullptr;
  DType dtype = DType::f32;  // f32 or bf16
  int64_t row_stride = 0;
  int64_t batch_stride = 0;  // elements from one matrix of a batch to the next
  bool transposed = false;
};

// C = op(A) op(B) or C += op(A) op(B), once for each matrix of a batch. f32 sums, one rounding at the end.
struct Gemm {
  int64_t M = 0, N = 0, K = 0;
  Matrix a;  // op(A) [M, K]
  Matrix b;  // op(B) [K, N]
  Matrix c;  // [M, N], not transposed, not overlapping a or b
  int64_t batch = 1;
  bool accumulate = false;  // C += instead of C =
};

class Blas {
 public:
  // Error when cuBLASLt is not installed.
  explicit Blas(CudaContext& context);
  ~Blas();
  Blas(const Blas&) = delete;
  Blas& operator=(const Blas&) = delete;

  // Launches a product in which no size is zero. False, with nothing launched, when cuBLASLt does not support
  // it: A and B of different types, or strides and addresses that none of its kernels takes.
  bool gemm(const Gemm& g);

 private:
  // The functions in use; inline functions of the header call the _internal ones.
  struct Library {
    decltype(&cublasLtCreate) create;
    decltype(&cublasLtDestroy) destroy;
    decltype(&cublasLtGetStatusString) status_text;
    decltype(&cublasLtMatmulDescInit_internal) init_product;
    decltype(&cublasLtMatmulDescSetAttribute) set_product;
    decltype(&cublasLtMatrixLayoutInit_internal) init_layout;
    decltype(&cublasLtMatrixLayoutSetAttribute) set_layout;
    decltype(&cublasLtMatmulPreferenceInit_internal) init_preference;
    decltype(&cublasLtMatmulPreferenceSetAttribute) set_preference;
    decltype(&cublasLtMatmulAlgoGetHeuristic) choose;
    decltype(&cublasLtMatmul) multiply;
  };
  struct Plan {
    cublasLtMatmulDescOpaque_t product;
    cublasLtMatrixLayoutOpaque_t a, b, c;
    cublasLtMatmulAlgo_t algorithm;
    bool exists = false;
  };
  // Everything that the choice of an algorithm depends on.
  using Key = std::array<int64_t, 11>;
  struct Hash {
    size_t operator()(const Key& key) const;
  };

  static Library load();
  static Key key_of(const Gemm& g);
  Plan plan(const Gemm& g) const;
  void choose(const Gemm& g, Plan& p) const;
  cublasLtMatrixLayoutOpaque_t layout(const Matrix& m, int64_t rows, int64_t cols, int64_t batch) const;
  void expect(cublasStatus_t status, const char* what) const;

  CudaContext& context_;
  Library library_;
  cublasLtHandle_t handle_ = nullptr;
  std::byte* workspace_ = nullptr;
  std::unordered_map<Key, Plan, Hash> plans_;
};

}  // namespace fathom::cuda
