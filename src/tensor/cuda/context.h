// CudaContext: the CUDA side of a Device. One GPU, one stream in which all ops take their turn, a workspace,
// and the library for matrix products. Only code under a cuda/ folder, and what is compiled with CUDA in
// tensor/, includes this.
#pragma once
#include <cuda_runtime_api.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace fathom {

namespace cuda {
class Blas;  // tensor/cuda/blas.h
}

// Throws Error: `what` failed, with CUDA's own words.
void cuda_check(cudaError_t status, const char* what);

class CudaContext {
 public:
  // Error when there is no driver, no such GPU, or one older than compute capability 8.0.
  explicit CudaContext(int ordinal);
  ~CudaContext();
  CudaContext(const CudaContext&) = delete;
  CudaContext& operator=(const CudaContext&) = delete;

  cudaStream_t stream() const { return stream_; }
  int multiprocessors() const { return properties_.multiProcessorCount; }
  const cudaDeviceProp& properties() const { return properties_; }
  // Whether kernels may use the instructions that only Hopper has (sm_90a). FATHOM_CUDA=ampere says no, for
  // tests of what other GPUs run.
  bool hopper() const { return hopper_; }

  // 256-byte aligned GPU memory that belongs to the op being launched, until the next op. Grows and stays:
  // a step that has run once allocates nothing when it runs again. Contents are unspecified.
  void* workspace(size_t bytes);
  // Made when it is first asked for; an Error when the library is not installed.
  cuda::Blas& blas();

  void synchronize();
  // Every op is waited for (FATHOM_CUDA_SYNC).
  bool synchronous() const { return synchronous_; }
  void finish_op(const char* op);

 private:
  cudaDeviceProp properties_{};
  cudaStream_t stream_ = nullptr;
  void* workspace_ = nullptr;
  size_t workspace_bytes_ = 0;
  std::unique_ptr<cuda::Blas> blas_;
  bool hopper_ = false;
  bool synchronous_ = false;  // FATHOM_CUDA_SYNC
};

// Zeroed memory for an Arena. An Error says what was asked for and what is free, and ends with `advice`.
std::byte* allocate_on_gpu(CudaContext& context, const std::string& name, int64_t bytes,
                           const std::string& advice = {});
void free_on_gpu(std::byte* memory, int64_t bytes);
// The host's memory, page-locked; contents are unspecified.
std::byte* allocate_pinned(const std::string& name, int64_t bytes);
void free_pinned(std::byte* memory, int64_t bytes);

}  // namespace fathom
