// CudaContext: the CUDA side of a Device: one GPU, a main stream in which ops run in order, and a side stream
// for independent work (tensor/stream_fork.h). Each stream has its own workspace and cuBLASLt handle. Only
// code under a cuda/ folder, and what is compiled with CUDA in tensor/, includes this.
#pragma once
#include <cuda_runtime_api.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "tensor/wait_listener.h"

namespace fathom {

namespace cuda {
class Blas;  // tensor/cuda/blas.h
}

// Throws an Error with `what` and CUDA's message unless status is success.
void cuda_check(cudaError_t status, const char* what);

class CudaContext {
 public:
  // Error when there is no driver, no such GPU, or one older than compute capability 8.0.
  explicit CudaContext(int ordinal);
  ~CudaContext();
  CudaContext(const CudaContext&) = delete;
  CudaContext& operator=(const CudaContext&) = delete;

  // The stream that ops are launched in at present; workspace() and blas() are that stream's.
  cudaStream_t stream() const { return current().stream; }
  int multiprocessors() const { return properties_.multiProcessorCount; }
  const cudaDeviceProp& properties() const { return properties_; }
  // Whether kernels may use what only Hopper has (sm_90a: TMA, wgmma). FATHOM_CUDA=ampere says no, to test
  // the kernels for other GPUs.
  bool hopper() const { return hopper_; }

  // 256-byte aligned GPU memory that belongs to the op being launched, until the next op. It only grows: a
  // step that has run once allocates nothing when it runs again. Contents are unspecified.
  void* workspace(size_t bytes);
  // Counters for kernels whose blocks wait for one another, at most max_counters: zero, and every kernel
  // leaves them zero. Only for the main stream.
  static constexpr size_t max_counters = 1 << 15;
  int32_t* counters(size_t count);
  // The addresses of both workspaces.
  std::array<const void*, 2> workspaces() const { return {streams_[0].workspace, streams_[1].workspace}; }
  // Created on first use; an Error when the library is not installed.
  cuda::Blas& blas();
  // Creates what is else created on first use. Loading a library waits for everything on the GPU, also for
  // kernels that wait for another rank: with several ranks it comes first.
  void prepare();

  // The steps of a StreamFork: ops go to the side stream, after what the main stream was given; to the main
  // stream again; and the main stream waits for the side stream.
  void fork_side_stream();
  cudaError_t leave_side_stream();
  cudaError_t join_side_stream();
  bool on_side_stream() const { return current_ == 1; }

  // Whether the stream's last operation was a kernel, so that the next one may be chained to it (programmatic
  // dependent launch, compute capability 9.0): not the first after a fork or a join.
  bool can_chain() const { return properties_.major >= 9 && current().after_kernel; }
  void kernel_launched() { current().after_kernel = true; }

  // What is launched next in the current stream comes after this event.
  void wait_for(cudaEvent_t event);

  void synchronize();
  // From now on the listener, or nobody, is told of waits. It must outlive all use of the context but its
  // end.
  void tell(WaitListener* listener) { listener_ = listener; }
  // While it exists the host may wait for the GPU. Not for another thread than that which launches.
  class HostWait;
  // Whether the host waits for every op (FATHOM_CUDA_SYNC).
  bool synchronous() const { return synchronous_; }
  void finish_op(const char* op);

 private:
  // A launch waits without notice when very many others have not begun: the host stays closer to the GPU.
  void limit_run_ahead();

  struct Stream {
    cudaStream_t stream = nullptr;
    std::byte* workspace = nullptr;
    size_t workspace_bytes = 0;
    bool after_kernel = false;
    std::unique_ptr<cuda::Blas> blas;
  };
  Stream& current() { return streams_[current_]; }
  const Stream& current() const { return streams_[current_]; }

  cudaDeviceProp properties_{};
  std::array<Stream, 2> streams_;
  size_t current_ = 0;
  int32_t* counters_ = nullptr;
  cudaEvent_t forked_ = nullptr, joined_ = nullptr;
  bool hopper_ = false;
  bool synchronous_ = false;  // FATHOM_CUDA_SYNC
  WaitListener* listener_ = nullptr;
  int ops_ = 0;                 // since the last mark; with a listener
  cudaEvent_t mark_ = nullptr;  // so many ops ago
};

class CudaContext::HostWait {
 public:
  explicit HostWait(const CudaContext& context) : listener_(context.listener_) {
    if (listener_) listener_->wait_begins();
  }
  ~HostWait() {
    if (listener_) listener_->wait_ends();
  }
  HostWait(const HostWait&) = delete;
  HostWait& operator=(const HostWait&) = delete;

 private:
  WaitListener* const listener_;
};

// Zeroed memory. An Error says what was asked for and what is free, and ends with `advice`. Taken and given
// back in the order of the context's stream: cudaFree waits for everything on the GPU, and with it for kernels
// that wait for another rank.
std::byte* allocate_on_gpu(CudaContext& context, const std::string& name, int64_t bytes,
                           const std::string& advice = {});
void free_on_gpu(CudaContext& context, std::byte* memory);
// Page-locked host memory; contents are unspecified.
std::byte* allocate_pinned(const std::string& name, int64_t bytes);
void free_pinned(std::byte* memory);

}  // namespace fathom
