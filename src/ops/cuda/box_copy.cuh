// Copies by Hopper's copy engine (TMA): one thread asks for a box of a matrix (box_map.h), and a gate in
// shared memory opens when all of it has come. Source: CUDA C++ Programming Guide, "Tensor Memory
// Accelerator".
#pragma once
#include <cuda/ptx>

#include "ops/cuda/box_map.h"
#include "ops/cuda/wgmma.cuh"

namespace fathom::cuda {

// Opens, phase after phase, when so many threads have arrived and the bytes that they announced have come.
class Gate {
 public:
  __device__ void init(int arrivals) { ::cuda::ptx::mbarrier_init(&state_, arrivals); }
  __device__ void arrive() { ::cuda::ptx::mbarrier_arrive(&state_); }
  __device__ void arrive_and_expect(int bytes) {
    ::cuda::ptx::mbarrier_arrive_expect_tx(::cuda::ptx::sem_release, ::cuda::ptx::scope_cta,
                                           ::cuda::ptx::space_shared, &state_, bytes);
  }
  // Until the phase of this parity is over; the phase before the first counts as over.
  __device__ void wait(unsigned parity) {
    while (!::cuda::ptx::mbarrier_try_wait_parity(&state_, parity)) {
    }
  }
  // A box comes, whose bytes were announced.
  __device__ void copy_box(Bf16* box, const CUtensorMap& map, int64_t col, int64_t row, int matrix) {
    const int32_t at[] = {static_cast<int32_t>(col), static_cast<int32_t>(row), matrix};
    ::cuda::ptx::cp_async_bulk_tensor(::cuda::ptx::space_cluster, ::cuda::ptx::space_global, box, &map, at,
                                      &state_);
  }

 private:
  uint64_t state_;
};

// Which of the stages that are filled and emptied by turns comes next, and the parity of its gates' phase.
template <int stages>
struct Turn {
  int stage = 0;
  unsigned parity = 0;

  __device__ void next() {
    if (++stage < stages) return;
    stage = 0, parity ^= 1;
  }
};

}  // namespace fathom::cuda
