// CudaContext: the CUDA side of a Device. One GPU and two lanes, the main one, in which ops take their turn,
// and one beside it (tensor/beside.h). A lane is a stream with a workspace and the library for matrix
// products. Only code under a cuda/ folder, and what is compiled with CUDA in tensor/, includes this.
#pragma once
#include <cuda_runtime_api.h>

#include <array>
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

  // The lane's that ops are given to at present, as are the workspace and the library.
  cudaStream_t stream() const { return lane().stream; }
  int multiprocessors() const { return properties_.multiProcessorCount; }
  const cudaDeviceProp& properties() const { return properties_; }
  // Whether kernels may use the instructions that only Hopper has (sm_90a). FATHOM_CUDA=ampere says no, for
  // tests of what other GPUs run.
  bool hopper() const { return hopper_; }

  // 256-byte aligned GPU memory that belongs to the op being launched, until the next op. Grows and stays:
  // a step that has run once allocates nothing when it runs again. Contents are unspecified.
  void* workspace(size_t bytes);
  // Where both lanes' are.
  std::array<const void*, 2> workspaces() const { return {lanes_[0].workspace, lanes_[1].workspace}; }
  // Made when it is first asked for; an Error when the library is not installed.
  cuda::Blas& blas();

  // Ops go to the side lane, after what was given to the main lane; to the main lane again; and what follows
  // there comes after both.
  void begin_side();
  cudaError_t end_side();
  cudaError_t join_side();
  bool beside() const { return current_ == 1; }

  void synchronize();
  // Every op is waited for (FATHOM_CUDA_SYNC).
  bool synchronous() const { return synchronous_; }
  void finish_op(const char* op);

 private:
  struct Lane {
    cudaStream_t stream = nullptr;
    void* workspace = nullptr;
    size_t workspace_bytes = 0;
    std::unique_ptr<cuda::Blas> blas;
  };
  Lane& lane() { return lanes_[current_]; }
  const Lane& lane() const { return lanes_[current_]; }

  cudaDeviceProp properties_{};
  std::array<Lane, 2> lanes_;
  size_t current_ = 0;
  cudaEvent_t forked_ = nullptr, joined_ = nullptr;
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
