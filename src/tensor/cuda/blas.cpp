#include "tensor/cuda/blas.h"

#include <algorithm>
#include <string>
#include <utility>

#include "base/error.h"
#include "tensor/cuda/shared_library.h"

namespace fathom::cuda {
namespace {

constexpr int64_t workspace_bytes = 32 << 20;  // as NVIDIA recommends for Hopper
constexpr size_t max_plans = 4096;             // serving produces ever new numbers of tokens
constexpr uint32_t max_alignment = 16;         // no cuBLASLt kernel needs more

cudaDataType_t type_of(DType dtype) {
  return dtype == DType::bf16 ? CUDA_R_16BF : CUDA_R_32F;
}

// The alignment of every matrix of the batch, in bytes, at most max_alignment: the choice of an algorithm,
// and with it the bits of a result, must not depend on where memory happens to be.
uint32_t alignment(const Matrix& m) {
  const uint64_t bits = reinterpret_cast<uintptr_t>(m.data) |
                        static_cast<uint64_t>(m.batch_stride * size_of(m.dtype)) | max_alignment;
  return static_cast<uint32_t>(bits & (~bits + 1));
}

// Type, transposition and alignment in 16 bits.
int64_t kind_of(const Matrix& m) {
  return static_cast<int64_t>(m.dtype) << 8 | static_cast<int64_t>(m.transposed) << 7 | alignment(m);
}

}  // namespace

Blas::Library Blas::load() {
  const std::string version = std::to_string(CUBLAS_VER_MAJOR), name = "libcublasLt.so." + version;
  const SharedLibrary opened("cuBLASLt", version, fmt::format("cuBLASLt ({}) is not installed", name),
                             {name, "libcublasLt.so", "/usr/local/cuda/lib64/" + name});
  Library l{};
  opened.find("cublasLtCreate", l.create);
  opened.find("cublasLtDestroy", l.destroy);
  opened.find("cublasLtGetStatusString", l.status_text);
  opened.find("cublasLtMatmulDescInit_internal", l.init_product);
  opened.find("cublasLtMatmulDescSetAttribute", l.set_product);
  opened.find("cublasLtMatrixLayoutInit_internal", l.init_layout);
  opened.find("cublasLtMatrixLayoutSetAttribute", l.set_layout);
  opened.find("cublasLtMatmulPreferenceInit_internal", l.init_preference);
  opened.find("cublasLtMatmulPreferenceSetAttribute", l.set_preference);
  opened.find("cublasLtMatmulAlgoGetHeuristic", l.choose);
  opened.find("cublasLtMatmul", l.multiply);
  return l;
}

Blas::Blas(CudaContext& context) : context_(context), library_(load()) {
  workspace_ = allocate_on_gpu(context, "cuBLASLt's workspace", workspace_bytes);
  const cublasStatus_t status = library_.create(&handle_);
  if (status != CUBLAS_STATUS_SUCCESS) free_on_gpu(context_, workspace_);
  expect(status, "starting");
}

Blas::~Blas() {
  library_.destroy(handle_);
  free_on_gpu(context_, workspace_);
}

void Blas::expect(cublasStatus_t status, const char* what) const {
  check(status == CUBLAS_STATUS_SUCCESS, "cuBLASLt: {} failed: {}", what, library_.status_text(status));
}

bool Blas::gemm(const Gemm& g) {
  if (g.a.dtype != g.b.dtype) return false;
  const Key key = key_of(g);
  auto found = plans_.find(key);
  if (found == plans_.end()) {
    if (plans_.size() >= max_plans) plans_.clear();
    found = plans_.emplace(key, plan(g)).first;
  }
  Plan& p = found->second;
  if (!p.exists) return false;
  // cuBLASLt is column-major: it sees A^T, B^T and C^T in our row-major memory, so we compute C^T = B^T A^T.
  const float alpha = 1, beta = g.accumulate ? 1 : 0;
  const cublasStatus_t status =
      library_.multiply(handle_, &p.product, &alpha, g.b.data, &p.b, g.a.data, &p.a, &beta, g.c.data, &p.c,
                        g.c.data, &p.c, &p.algorithm, workspace_, workspace_bytes, context_.stream());
  if (status != CUBLAS_STATUS_SUCCESS)
    fail("cuBLASLt: a product of [{}, {}] and [{}, {}] failed: {}", g.M, g.K, g.K, g.N,
         library_.status_text(status));
  return true;
}

Blas::Key Blas::key_of(const Gemm& g) {
  return {g.M,
          g.N,
          g.K,
          g.batch,
          g.a.row_stride,
          g.b.row_stride,
          g.c.row_stride,
          g.a.batch_stride,
          g.b.batch_stride,
          g.c.batch_stride,
          kind_of(g.a) << 33 | kind_of(g.b) << 17 | kind_of(g.c) << 1 | static_cast<int64_t>(g.accumulate)};
}

size_t Blas::Hash::operator()(const Key& key) const {
  uint64_t hash = 0;
  for (int64_t part : key) {
    hash = (hash ^ static_cast<uint64_t>(part)) * 0x9e3779b97f4a7c15;
    hash ^= hash >> 32;
  }
  return hash;
}

Blas::Plan Blas::plan(const Gemm& g) const {
  Plan p{};
  expect(library_.init_product(&p.product, sizeof p.product, CUBLAS_COMPUTE_32F, CUDA_R_32F), "a product");
  const auto set = [&](cublasLtMatmulDescAttributes_t name, const Matrix& m) {
    const int32_t operation = m.transposed ? CUBLAS_OP_T : CUBLAS_OP_N;
    expect(library_.set_product(&p.product, name, &operation, sizeof operation), "a product's form");
  };
  set(CUBLASLT_MATMUL_DESC_TRANSA, g.b);
  set(CUBLASLT_MATMUL_DESC_TRANSB, g.a);
  p.a = layout(g.a, g.M, g.K, g.batch);
  p.b = layout(g.b, g.K, g.N, g.batch);
  p.c = layout(g.c, g.M, g.N, g.batch);
  choose(g, p);
  return p;
}

cublasLtMatrixLayoutOpaque_t Blas::layout(const Matrix& m, int64_t rows, int64_t cols, int64_t batch) const {
  if (m.transposed) std::swap(rows, cols);
  cublasLtMatrixLayoutOpaque_t l{};
  expect(library_.init_layout(&l, sizeof l, type_of(m.dtype), static_cast<uint64_t>(cols),
                              static_cast<uint64_t>(rows), std::max(m.row_stride, cols)),
         "a layout");
  if (batch == 1) return l;
  const auto count = static_cast<int32_t>(batch);
  expect(library_.set_layout(&l, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, &count, sizeof count), "a batch");
  expect(library_.set_layout(&l, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, &m.batch_stride,
                             sizeof m.batch_stride),
         "a batch's stride");
  return l;
}

// The first choice of its heuristic; partial sums stay f32.
void Blas::choose(const Gemm& g, Plan& p) const {
  cublasLtMatmulPreferenceOpaque_t preference{};
  expect(library_.init_preference(&preference, sizeof preference), "a preference");
  const auto prefer = [&](cublasLtMatmulPreferenceAttributes_t name, auto value) {
    expect(library_.set_preference(&preference, name, &value, sizeof value), "a preference");
  };
  prefer(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, static_cast<uint64_t>(workspace_bytes));
  prefer(CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK,
         static_cast<uint32_t>(CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE));
  prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, alignment(g.b));
  prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, alignment(g.a));
  prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, alignment(g.c));
  prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, alignment(g.c));
  cublasLtMatmulHeuristicResult_t best{};
  int count = 0;
  const cublasStatus_t status =
      library_.choose(handle_, &p.product, &p.b, &p.a, &p.c, &p.c, &preference, 1, &best, &count);
  if (status == CUBLAS_STATUS_NOT_SUPPORTED || status == CUBLAS_STATUS_INVALID_VALUE) return;
  expect(status, "choosing an algorithm");
  p.exists = count > 0 && best.state == CUBLAS_STATUS_SUCCESS;
  p.algorithm = best.algo;
}

}  // namespace fathom::cuda
