// Device: where ops run, and what they need there. Always passed, never global. For the CPU it is a number of
// threads and per-thread scratch memory; the CUDA side will add its stream and library handles here.
#pragma once
#include <cstddef>
#include <memory>

#include "base/threads.h"

namespace fathom {

enum class Backend { reference, cpu };

class Device {
 public:
  // Plain loops in any float type up to f64: the oracle the other backends are tested against.
  static Device reference() { return Device(Backend::reference, 1); }
  // The fast CPU path (f32 and bf16). threads 0: all the machine offers.
  static Device cpu(int threads = 0) {
    return Device(Backend::cpu, threads > 0 ? threads : hardware_threads());
  }

  Backend backend() const { return backend_; }
  int threads() const { return threads_; }

  // `bytes` of 64-byte aligned memory belonging to this thread number until the next call with the same
  // number. Grows and stays; contents are unspecified. Safe to call from parallel code with distinct thread
  // numbers.
  void* scratch(int thread, size_t bytes) const;
  // Memory shared by all threads of one op, with the same life. Call it outside parallel code only.
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
};

}  // namespace fathom
