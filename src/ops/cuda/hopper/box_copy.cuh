// Copies by Hopper's copy engine (TMA): one thread asks for a box of a matrix (box_map.h), and a gate in
// shared memory opens when all of it has come. Source: CUDA C++ Programming Guide, "Tensor Memory
// Accelerator".
#pragma once
#include <cuda/ptx>

#include "ops/cuda/hopper/box_map.h"
#include "ops/cuda/hopper/wgmma.cuh"

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

// A block of two warpgroups that multiply what one more warp copies for them.
constexpr int multiplying = 2 * warpgroup_size, copying_block = multiplying + warpgroup_size;

// Shared memory whose first member is boxes.
template <class Memory>
constexpr size_t memory_bytes = sizeof(Memory) + box_alignment;
template <class Memory>
__device__ Memory& memory_at(void* shared) {
  return *reinterpret_cast<Memory*>(first_box(shared));
}

// First init_gates() by one thread. Then copy() by one warp, multiply() by two warpgroups, with so many
// registers a thread, of 168 each on average.
template <int multiplying_registers, int copying_registers, class InitGates, class Copy, class Multiply>
__device__ void share_work(const InitGates& init_gates, const Copy& copy, const Multiply& multiply) {
  if (threadIdx.x == 0) init_gates();
  publish_boxes();
  __syncthreads();
  if (threadIdx.x >= multiplying) {
    give_registers<copying_registers>();
    if (threadIdx.x < multiplying + warp_size) copy();
  } else {
    take_registers<multiplying_registers>();
    multiply();
  }
}

// The gates of stages of shared memory that are filled and emptied by turns. threads_share: there is more in
// a stage than boxes, which threads write and read themselves, so that every thread arrives at its gates, and
// not one for all of a warp.
template <int stages, bool threads_share = false>
struct Gates {
  Gate full[stages], empty[stages];

  __device__ void init() {
    for (int i = 0; i < stages; ++i) {
      full[i].init(threads_share ? warp_size : 1);
      empty[i].init(threads_share ? multiplying : multiplying / warp_size);
    }
  }
  // This warp has no more need of a stage.
  __device__ void release(int stage) {
    __syncwarp();
    if (threads_share || threadIdx.x % warp_size == 0) empty[stage].arrive();
  }
};

// Which of them comes next, and the parity of its gates' phase.
template <int stages>
struct Turn {
  int stage = 0;
  unsigned parity = 0;

  __device__ void next() {
    if (++stage < stages) return;
    stage = 0, parity ^= 1;
  }
};

// Lines from `first` on of boxes of `lines` lines become zeros, by all multiplying threads;
// wait_for_cleared() comes after the last.
template <int lines>
__device__ void clear_lines(Bf16* boxes, int elements, int64_t first) {
  constexpr int chunk = 16 / sizeof(Bf16);
  for (int i = threadIdx.x; i < elements / chunk; i += multiplying)
    if (i * chunk / box_width % lines >= first) *reinterpret_cast<uint4*>(boxes + i * chunk) = uint4{};
}
__device__ inline void wait_for_cleared() {
  publish_boxes();
  asm volatile("bar.sync 1, %0;" ::"n"(multiplying) : "memory");
}

}  // namespace fathom::cuda
