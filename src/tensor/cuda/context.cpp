#include "tensor/cuda/context.h"

#include <cassert>
#include <cstdlib>
#include <string_view>

#include "base/error.h"
#include "base/progress.h"
#include "tensor/cuda/blas.h"

namespace fathom {
namespace {

constexpr int oldest_major = 8;
constexpr int ops_between_marks = 64;  // each launches few kernels, of about a thousand that can wait

cudaDeviceProp properties_of(int ordinal) {
  int count = 0;
  const cudaError_t status = cudaGetDeviceCount(&count);
  int driver = 0;
  check(cudaDriverGetVersion(&driver) == cudaSuccess && driver > 0, "no NVIDIA driver is installed");
  check(status != cudaErrorInsufficientDriver,
        "the NVIDIA driver is older than CUDA {}.{}, which this program was built with",
        CUDART_VERSION / 1000, CUDART_VERSION % 1000 / 10);
  check(status == cudaSuccess && count > 0, "no NVIDIA GPU: {}",
        status == cudaSuccess ? "none is visible" : cudaGetErrorString(status));
  check(ordinal < count, "no GPU {}: there are {}, counted from 0", ordinal, count);
  cudaDeviceProp p;
  cuda_check(cudaGetDeviceProperties(&p, ordinal), "asking for the GPU's properties");
  check(p.major >= oldest_major, "GPU {}, {}, has compute capability {}.{}: at least {}.0 is needed", ordinal,
        p.name, p.major, p.minor, oldest_major);
  return p;
}

std::string_view variable(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

}  // namespace

void cuda_check(cudaError_t status, const char* what) {
  check(status == cudaSuccess, "CUDA: {} failed: {}", what, cudaGetErrorString(status));
}

CudaContext::CudaContext(int ordinal) : properties_(properties_of(ordinal)) {
  cuda_check(cudaSetDevice(ordinal), "choosing the GPU");
  for (Stream& s : streams_)
    cuda_check(cudaStreamCreateWithFlags(&s.stream, cudaStreamNonBlocking), "creating a stream");
  for (cudaEvent_t* event : {&forked_, &joined_, &mark_})
    cuda_check(cudaEventCreateWithFlags(event, cudaEventDisableTiming), "creating an event");
  synchronous_ = variable("FATHOM_CUDA_SYNC") == "1";
  const std::string_view level = variable("FATHOM_CUDA");
  check(level.empty() || level == "ampere" || level == "hopper",
        "FATHOM_CUDA is '{}': expected ampere or hopper", level);
  hopper_ = properties_.major == 9 && level != "ampere";
}

CudaContext::~CudaContext() {
  for (Stream& s : streams_) {
    cudaStreamSynchronize(s.stream);
    s.blas.reset();
    cudaFree(s.workspace);
  }
  cudaFree(counters_);
  for (Stream& s : streams_) cudaStreamDestroy(s.stream);
  for (cudaEvent_t event : {forked_, joined_, mark_}) cudaEventDestroy(event);
}

void* CudaContext::workspace(size_t bytes) {
  Stream& s = current();
  if (bytes > s.workspace_bytes) {
    if (s.workspace) free_on_gpu(*this, s.workspace);
    s.workspace = nullptr, s.workspace_bytes = 0;
    s.workspace = allocate_on_gpu(*this, "the ops' workspace", static_cast<int64_t>(bytes));
    s.workspace_bytes = bytes;
  }
  return s.workspace;
}

int32_t* CudaContext::counters(size_t count) {
  assert(count <= max_counters && !on_side_stream());
  if (!counters_)
    counters_ = reinterpret_cast<int32_t*>(
        allocate_on_gpu(*this, "the kernels' counters", max_counters * sizeof(int32_t)));
  return counters_;
}

cuda::Blas& CudaContext::blas() {
  if (!current().blas) current().blas = std::make_unique<cuda::Blas>(*this);
  return *current().blas;
}

void CudaContext::prepare() {
  counters(max_counters);
  for (Stream& s : streams_)
    if (!s.blas) s.blas = std::make_unique<cuda::Blas>(*this);
}

void CudaContext::fork_side_stream() {
  for (Stream& s : streams_) s.after_kernel = false;
  cuda_check(cudaEventRecord(forked_, stream()), "recording an event");
  cuda_check(cudaStreamWaitEvent(streams_[1].stream, forked_), "waiting for an event");
  current_ = 1;
}

cudaError_t CudaContext::leave_side_stream() {
  current_ = 0;
  return cudaEventRecord(joined_, streams_[1].stream);
}

cudaError_t CudaContext::join_side_stream() {
  streams_[0].after_kernel = false;
  return cudaStreamWaitEvent(stream(), joined_);
}

void CudaContext::wait_for(cudaEvent_t event) {
  current().after_kernel = false;
  cuda_check(cudaStreamWaitEvent(stream(), event), "waiting for an event");
}

void CudaContext::synchronize() {
  const HostWait waiting(*this);
  cuda_check(cudaStreamSynchronize(stream()), "waiting for the GPU");
}

void CudaContext::finish_op(const char* op) {
  cuda_check(cudaPeekAtLastError(), op);
  if (listener_) limit_run_ahead();
  if (!synchronous_) return;
  const HostWait waiting(*this);
  cuda_check(cudaStreamSynchronize(stream()), op);
}

void CudaContext::limit_run_ahead() {
  if (++ops_ < ops_between_marks || on_side_stream()) return;
  ops_ = 0;
  {
    const HostWait waiting(*this);
    cuda_check(cudaEventSynchronize(mark_), "waiting for the GPU");
  }
  cuda_check(cudaEventRecord(mark_, stream()), "recording an event");
}

std::byte* allocate_on_gpu(CudaContext& context, const std::string& name, int64_t bytes,
                           const std::string& advice) {
  const CudaContext::HostWait waiting(context);  // for what runs
  void* memory = nullptr;
  const size_t size = static_cast<size_t>(bytes) + 256;  // an empty arena is not null
  if (cudaMallocAsync(&memory, size, context.stream()) != cudaSuccess) {
    cudaGetLastError();
    size_t free = 0, total = 0;
    cudaMemGetInfo(&free, &total);
    fail("not enough GPU memory for {}: asked for {}, {} of {} are free{}", name,
         human_bytes(static_cast<double>(bytes)), human_bytes(static_cast<double>(free)),
         human_bytes(static_cast<double>(total)), advice);
  }
  cuda_check(cudaMemsetAsync(memory, 0, size, context.stream()), "clearing GPU memory");
  return static_cast<std::byte*>(memory);
}

void free_on_gpu(CudaContext& context, std::byte* memory) {
  cudaFreeAsync(memory, context.stream());
}

std::byte* allocate_pinned(const std::string& name, int64_t bytes) {
  void* memory = nullptr;
  const cudaError_t status = cudaMallocHost(&memory, static_cast<size_t>(bytes) + 256);
  check(status == cudaSuccess, "not enough page-locked memory for {}: asked for {}: {}", name,
        human_bytes(static_cast<double>(bytes)), cudaGetErrorString(status));
  return static_cast<std::byte*>(memory);
}

void free_pinned(std::byte* memory) {
  cudaFreeHost(memory);
}

}  // namespace fathom
