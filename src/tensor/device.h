// Device: where ops run, and what they need there. Always passed, never global. For the CPU it is a number of
// threads and per-thread scratch memory; for a GPU a CudaContext: its stream, workspace and library handles.
#pragma once
#include <cstddef>
#include <memory>
#include <string>

#include "base/threads.h"

namespace fathom {

enum class Backend { reference, cpu, cuda };

class Profile;      // tensor/profile.h
class CudaContext;  // tensor/cuda/context.h, in builds with CUDA
struct CudaContextDeleter {
  void operator()(CudaContext* context) const;
};

class Device {
 public:
  // Plain loops in any float type up to f64: the oracle the other backends are tested against.
  static Device reference() { return Device(Backend::reference, 1); }
  // The fast CPU path (f32 and bf16). threads 0: all that the process may use.
  static Device cpu(int threads = 0) {
    return Device(Backend::cpu, threads > 0 ? threads : hardware_threads());
  }

  // The GPU of this number. Error when this build has no CUDA, or there is no such GPU, or it is too old.
  static Device cuda(int ordinal = 0);
  // By name: "reference", "cpu", "cuda" or "cuda:1"; an Error for any other. threads as for cpu().
  static Device named(const std::string& name, int threads = 0);

  Backend backend() const { return backend_; }
  // CPU threads, for work that the host does.
  int threads() const { return threads_; }
  // Whether the host can read and write the memory that ops work on (tensor/memory.h copies where it cannot).
  bool on_host() const { return backend_ != Backend::cuda; }
  CudaContext& cuda_context() const { return *context_; }
  // "CPU" or the GPU's name, for reports.
  std::string name() const;
  // The attached Profile, or null.
  Profile* profile() const { return profile_; }
  void attach(Profile* profile) { profile_ = profile; }

  // After the launch of an op on a GPU: an Error naming the op when the launch failed. With
  // FATHOM_CUDA_SYNC=1 it also waits, so that an error in a kernel is reported for the op that caused it.
  void finish_op(const char* op) const;

  // `bytes` of 64-byte aligned memory that belongs to this thread number until the next call with the same
  // number. It only grows; contents are unspecified. Safe to call from parallel code with distinct thread
  // numbers. An Error that names the size when there is not enough memory.
  void* scratch(int thread, size_t bytes) const;
  // Memory shared by all threads of one op, with the same lifetime. Call it outside parallel code only.
  void* shared_scratch(size_t bytes) const { return scratch(threads_, bytes); }

 private:
  struct Buffer {
    std::unique_ptr<std::byte[]> memory;
    size_t size = 0;
  };
  Device(Backend backend, int threads)
      : backend_(backend), threads_(threads), buffers_(std::make_unique<Buffer[]>(threads + 1)) {}

  Backend backend_;
  int threads_;
  std::unique_ptr<Buffer[]> buffers_;
  std::unique_ptr<CudaContext, CudaContextDeleter> context_;
  Profile* profile_ = nullptr;
};

}  // namespace fathom
