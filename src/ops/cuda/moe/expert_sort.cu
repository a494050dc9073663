// A stable counting sort of the slots by expert in three launches: every block makes a histogram of its range
// of slots, a scan turns the histograms into first rows, and every block scatters its slots in order. Few
// slots are sorted by one block in one launch.
#include <algorithm>

#include "ops/cuda/kernel.cuh"
#include "ops/expert_sort.h"

namespace fathom::cuda {
namespace {

constexpr int threads = 256;
constexpr int64_t max_blocks = 256;
constexpr int64_t min_block_slots = 256;

struct Partition {
  int64_t M, blocks, share;  // slots, blocks, and slots per block
};
Partition partition_of(int64_t M) {
  const int64_t blocks = std::clamp<int64_t>(ceil_div(M, min_block_slots), 1, max_blocks);
  return {M, blocks, ceil_div(M, blocks)};
}

// counts[e, block]: the histograms.
__global__ void count_slots(int32_t* counts, const int32_t* ids, Partition s, int E) {
  extern __shared__ int histogram[];
  for (int e = threadIdx.x; e < E; e += threads) histogram[e] = 0;
  __syncthreads();
  const int64_t begin = blockIdx.x * s.share, end = min(begin + s.share, s.M);
  for (int64_t i = begin + threadIdx.x; i < end; i += threads) atomicAdd(histogram + ids[i], 1);
  __syncthreads();
  for (int e = threadIdx.x; e < E; e += threads) counts[e * s.blocks + blockIdx.x] = histogram[e];
}

// Exclusive scan of counts over (expert, block), by one block.
__global__ void scan_counts(int32_t* counts, int32_t* offsets, Partition s, int E) {
  const int64_t n = static_cast<int64_t>(E) * s.blocks, share = (n + blockDim.x - 1) / blockDim.x;
  const int64_t begin = min(threadIdx.x * share, n), end = min(begin + share, n);
  int32_t sum = 0;
  for (int64_t i = begin; i < end; ++i) sum += counts[i];
  int32_t total, row = block_exclusive_sum<1024>(sum, &total);
  for (int64_t i = begin; i < end; ++i) {
    if (i % s.blocks == 0) offsets[i / s.blocks] = row;
    const int32_t next = row + counts[i];
    counts[i] = row;
    row = next;
  }
  if (threadIdx.x == 0) offsets[E] = static_cast<int32_t>(s.M);
}

// Scatters slots begin .. end - 1 in order, by one warp: within a step a slot follows those of its expert in
// earlier lanes. next[e]: the next free row of expert e.
__device__ void scatter_slots(int32_t* row_of, int32_t* token_of, int* next, const int32_t* ids,
                              int64_t begin, int64_t end, int K) {
  const int lane = threadIdx.x % warp_size;
  for (int64_t i = begin; i < end; i += warp_size) {
    const int64_t slot = i + lane;
    const int e = slot < end ? ids[slot] : -1;
    const unsigned same = __match_any_sync(~0u, e), before = same & ((1u << lane) - 1);
    const int row = e < 0 ? 0 : next[e] + __popc(before);
    __syncwarp();
    if (e >= 0) {
      if (before == 0) next[e] += __popc(same);
      row_of[slot] = row;
      token_of[row] = static_cast<int32_t>(slot / K);
    }
    __syncwarp();
  }
}

__global__ void scatter(int32_t* row_of, int32_t* token_of, const int32_t* first, const int32_t* ids,
                        Partition s, int E, int K) {
  extern __shared__ int next[];
  for (int e = threadIdx.x; e < E; e += warp_size) next[e] = first[e * s.blocks + blockIdx.x];
  __syncwarp();
  const int64_t begin = blockIdx.x * s.share, end = min(begin + s.share, s.M);
  scatter_slots(row_of, token_of, next, ids, begin, end, K);
}

// The whole sort in one block, whose warps take ranges of slots as the blocks above do.
constexpr int sort_warps = 16;
constexpr int64_t most_slots_of_one_block = 4096;
__global__ void sort_in_one_block(int32_t* row_of, int32_t* token_of, int32_t* offsets, const int32_t* ids,
                                  int64_t M, int E, int K) {
  extern __shared__ int counts[];  // [warps, E]: histograms, then the next free rows
  const int lane = threadIdx.x % warp_size, warp = threadIdx.x / warp_size;
  int* own = counts + warp * E;
  for (int e = lane; e < E; e += warp_size) own[e] = 0;
  __syncwarp();
  const int64_t steps = (M + sort_warps * warp_size - 1) / (sort_warps * warp_size),
                share = steps * warp_size;
  const int64_t begin = min(warp * share, M), end = min(begin + share, M);
  for (int64_t i = begin + lane; i < end; i += warp_size) atomicAdd(own + ids[i], 1);
  __syncthreads();
  if (warp == 0) {
    int row = 0;
    for (int first = 0; first < E; first += warp_size) {
      const int e = first + lane;
      int count = 0;
      if (e < E)
        for (int w = 0; w < sort_warps; ++w) count += counts[w * E + e];
      const int through = warp_inclusive_sum(count);
      int next = row + through - count;
      if (e < E) {
        offsets[e] = next;
        for (int w = 0; w < sort_warps; ++w) {
          const int of_warp = counts[w * E + e];
          counts[w * E + e] = next;
          next += of_warp;
        }
      }
      row += __shfl_sync(~0u, through, warp_size - 1);
    }
    if (lane == 0) offsets[E] = row;
  }
  __syncthreads();
  scatter_slots(row_of, token_of, own, ids, begin, end, K);
}

}  // namespace

void expert_sort(Device& device, const ExpertSort& a) {
  const int64_t E = a.offsets.cols() - 1, K = a.ids.cols();
  const Partition s = partition_of(a.ids.count());
  const size_t shared = static_cast<size_t>(E) * sizeof(int);
  constexpr size_t most_shared = 48 << 10;
  if (s.M <= most_slots_of_one_block && sort_warps * shared <= most_shared)
    return launch(device, dim3(1), sort_warps * warp_size, sort_warps * shared, sort_in_one_block,
                  data<int32_t>(a.row_of), data<int32_t>(a.token_of), data<int32_t>(a.offsets),
                  data<int32_t>(a.ids), s.M, E, K);
  auto* counts = static_cast<int32_t*>(
      device.cuda_context().workspace(static_cast<size_t>(E * s.blocks) * sizeof(int32_t)));
  const dim3 grid(static_cast<unsigned>(s.blocks));
  launch(device, grid, threads, shared, count_slots, counts, data<int32_t>(a.ids), s, E);
  launch(device, dim3(1), 1024, 0, scan_counts, counts, data<int32_t>(a.offsets), s, E);
  launch(device, grid, warp_size, shared, scatter, data<int32_t>(a.row_of), data<int32_t>(a.token_of), counts,
         data<int32_t>(a.ids), s, E, K);
}

}  // namespace fathom::cuda
