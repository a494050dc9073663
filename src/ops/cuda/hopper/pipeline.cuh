// Warp-specialized kernels: a producer warp loads tiles with TMA into the stages of a shared memory pipeline,
// two consumer warpgroups compute on them; mbarriers say when a stage is full or empty. Sources: CUDA C++
// Programming Guide, "Asynchronous Barrier" and "Tensor Memory Accelerator"; CUTLASS, "pipeline".
#pragma once
#include <cuda/ptx>

#include "ops/cuda/hopper/tensor_map.h"
#include "ops/cuda/hopper/wgmma.cuh"

namespace fathom::cuda {

// An mbarrier: its phase completes when all arrivals and all expected bytes have come.
class Barrier {
 public:
  __device__ void init(int arrivals) { ::cuda::ptx::mbarrier_init(&state_, arrivals); }
  __device__ void arrive() { ::cuda::ptx::mbarrier_arrive(&state_); }
  // Arrives, and adds bytes of TMA loads that the current phase must wait for.
  __device__ void arrive_expect_tx(int bytes) {
    ::cuda::ptx::mbarrier_arrive_expect_tx(::cuda::ptx::sem_release, ::cuda::ptx::scope_cta,
                                           ::cuda::ptx::space_shared, &state_, bytes);
  }
  // Waits for the phase of this parity to complete. On a new barrier the phase of parity 1 counts as
  // complete.
  __device__ void wait(unsigned parity) {
    while (!::cuda::ptx::mbarrier_try_wait_parity(&state_, parity)) {
    }
  }

  // Arrives at the same barrier of another block of the cluster.
  __device__ void arrive_remote(int block) {
    asm volatile(
        "{.reg .b32 remote; mapa.shared::cluster.u32 remote, %0, %1;"
        " mbarrier.arrive.shared::cluster.b64 _, [remote];}" ::"r"(
            static_cast<uint32_t>(__cvta_generic_to_shared(&state_))),
        "r"(block)
        : "memory");
  }

  __device__ uint64_t* native_handle() { return &state_; }

 private:
  uint64_t state_;
};

// All threads of all blocks of the cluster meet.
__device__ inline void cluster_sync() {
  ::cuda::ptx::barrier_cluster_arrive();
  ::cuda::ptx::barrier_cluster_wait();
}

// Loads a box into shared memory. The barrier counts its bytes; they must be expected.
__device__ inline void tma_load(Barrier& barrier, Bf16* box, const CUtensorMap& map, int64_t col, int64_t row,
                                int matrix) {
  const int32_t coordinates[] = {static_cast<int32_t>(col), static_cast<int32_t>(row), matrix};
  ::cuda::ptx::cp_async_bulk_tensor(::cuda::ptx::space_cluster, ::cuda::ptx::space_global, box, &map,
                                    coordinates, barrier.native_handle());
}

// Brings a box to L2, or a tensor map to its cache.
__device__ inline void tma_prefetch(const CUtensorMap& map, int64_t col, int64_t row, int matrix) {
  asm volatile("cp.async.bulk.prefetch.tensor.3d.L2.global.tile [%0, {%1, %2, %3}];" ::"l"(&map),
               "r"(static_cast<int32_t>(col)), "r"(static_cast<int32_t>(row)), "r"(matrix)
               : "memory");
}
__device__ inline void prefetch_tensor_map(const CUtensorMap& map) {
  asm volatile("prefetch.tensormap [%0];" ::"l"(&map) : "memory");
}

// Loads a box into every block of a cluster of `blocks`, at the same place of its shared memory; each block's
// own barrier counts its bytes.
template <int blocks>
__device__ void tma_load_multicast(Barrier& barrier, Bf16* box, const CUtensorMap& map, int64_t col,
                                   int64_t row, int matrix) {
  if constexpr (blocks == 1) return tma_load(barrier, box, map, col, row, matrix);
  const int32_t coordinates[] = {static_cast<int32_t>(col), static_cast<int32_t>(row), matrix};
  constexpr uint16_t all = (1 << blocks) - 1;
  ::cuda::ptx::cp_async_bulk_tensor(::cuda::ptx::space_cluster, ::cuda::ptx::space_global, box, &map,
                                    coordinates, barrier.native_handle(), all);
}

// A block: two consumer warpgroups, then the producer's, of which one warp works.
constexpr int consumer_threads = 2 * warpgroup_size, specialized_threads = consumer_threads + warpgroup_size;

// Dynamic shared memory as a struct whose first member is a swizzled tile.
template <class Storage>
constexpr size_t shared_bytes_of = sizeof(Storage) + swizzle_alignment;
template <class Storage>
__device__ Storage& shared_storage_at(void* shared) {
  return *reinterpret_cast<Storage*>(align_shared(shared));
}

// init_barriers() by one thread; then produce() by one warp and consume() by two warpgroups, with the given
// registers per thread; over all warps the average must be at most 168.
template <int consumer_registers, int producer_registers, class InitBarriers, class Produce, class Consume>
__device__ void warp_specialize(const InitBarriers& init_barriers, const Produce& produce,
                                const Consume& consume) {
  if (threadIdx.x == 0) init_barriers();
  fence_proxy_async();
  __syncthreads();
  if (threadIdx.x >= consumer_threads) {
    setmaxnreg_dec<producer_registers>();
    if (threadIdx.x < consumer_threads + warp_size) produce();
  } else {
    setmaxnreg_inc<consumer_registers>();
    consume();
  }
}

// A full and an empty barrier per stage. all_threads_arrive: threads also write and read parts of a stage
// with plain instructions, so every thread arrives at its barriers; otherwise one thread per warp does.
template <int stages, bool all_threads_arrive = false, int consumers = consumer_threads>
struct PipelineBarriers {
  Barrier full[stages], empty[stages];

  __device__ void init() {
    for (int i = 0; i < stages; ++i) {
      full[i].init(all_threads_arrive ? warp_size : 1);
      empty[i].init(all_threads_arrive ? consumers : consumers / warp_size);
    }
  }
  // This consumer warp no longer reads the stage.
  __device__ void consumer_release(int stage) {
    __syncwarp();
    if (all_threads_arrive || threadIdx.x % warp_size == 0) empty[stage].arrive();
  }
};

// The stage to use next, and the parity of its barriers' current phase.
template <int stages>
struct PipelineState {
  int stage = 0;
  unsigned parity = 0;

  __device__ void advance() {
    if (++stage < stages) return;
    stage = 0, parity ^= 1;
  }
};

// The grid of a persistent kernel: one block per multiprocessor.
inline dim3 persistent_grid(const Device& device, int64_t tiles) {
  return dim3(static_cast<unsigned>(std::min<int64_t>(tiles, device.cuda_context().multiprocessors())));
}

// Fills the rows from `first` on of swizzled boxes of `rows` rows with zeros. Called by all consumer threads;
// consumer_sync() must follow the last call.
template <int rows>
__device__ void zero_rows(Bf16* boxes, int elements, int64_t first) {
  constexpr int chunk = 16 / sizeof(Bf16);
  for (int i = threadIdx.x; i < elements / chunk; i += consumer_threads)
    if (i * chunk / swizzle_width % rows >= first) *reinterpret_cast<uint4*>(boxes + i * chunk) = uint4{};
}
// Makes what consumers wrote to shared memory visible to wgmma, for all consumers.
__device__ inline void consumer_sync() {
  fence_proxy_async();
  asm volatile("bar.sync 1, %0;" ::"n"(consumer_threads) : "memory");
}

// x, the same in the whole warp, as the compiler then knows: what depends on it, such as the number of a
// pipeline's stage, stays in uniform registers, where wgmma needs its descriptors. By whole warps.
__device__ inline int uniform(int x) {
  return __shfl_sync(~0u, x, 0);
}
__device__ inline int warpgroup_index() {
  return uniform(static_cast<int>(threadIdx.x) / warpgroup_size);
}

// Named barriers of the consumers.
__device__ inline void warpgroup_sync(int warpgroup) {
  asm volatile("bar.sync %0, %1;" ::"r"(2 + warpgroup), "n"(warpgroup_size) : "memory");
}
// One warpgroup signals, the other waits for it; `which` is 0 to 3.
__device__ inline void signal_other_warpgroup(int which) {
  asm volatile("bar.arrive %0, %1;" ::"r"(4 + which), "n"(consumer_threads) : "memory");
}
__device__ inline void wait_for_other_warpgroup(int which) {
  asm volatile("bar.sync %0, %1;" ::"r"(4 + which), "n"(consumer_threads) : "memory");
}

}  // namespace fathom::cuda
