// A stable counting sort of the slots by expert in three launches: every block makes a histogram of its range
// of slots, a scan turns the histograms into first rows, and every block scatters its slots in order. Few
// slots are sorted by one block in one launch.
#include <algorithm>

#include "ops/cuda/moe/expert_sort.cuh"

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
  for (int64_t i = begin + threadIdx.x; i < end; i += threads) count_slot(histogram, ids[i]);
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
  if (threadIdx.x == 0) offsets[E] = total;
}

__global__ void scatter(int32_t* row_of, int32_t* token_of, const int32_t* first, const int32_t* ids,
                        const int32_t* offsets, Partition s, int E, int K) {
  extern __shared__ int next[];
  for (int e = threadIdx.x; e < E; e += warp_size) next[e] = first[e * s.blocks + blockIdx.x];
  __syncwarp();
  const int64_t begin = blockIdx.x * s.share, end = min(begin + s.share, s.M);
  scatter_slots(row_of, token_of, next, ids, begin, end, K, offsets[E]);
}

constexpr int64_t most_slots_of_one_block = 4096;
__global__ void __launch_bounds__(sort_warps* warp_size) sort_in_one_block(SlotSort s) {
  extern __shared__ int counts[];
  wait_for_previous_kernel();
  sort_slots(s, counts);
}

}  // namespace

void expert_sort(Device& device, const ExpertSort& a) {
  const int64_t E = a.offsets.cols() - 1, K = a.ids.cols();
  const Partition s = partition_of(a.ids.count());
  const size_t shared = static_cast<size_t>(E) * sizeof(int);
  const size_t shared_of_one = static_cast<size_t>(sort_scratch(E)) * sizeof(int);
  if (s.M <= most_slots_of_one_block && shared_of_one <= default_shared_bytes)
    return launch_chained(device, dim3(1), sort_warps * warp_size, shared_of_one, sort_in_one_block,
                          slot_sort(a));
  auto* counts = static_cast<int32_t*>(
      device.cuda_context().workspace(static_cast<size_t>(E * s.blocks) * sizeof(int32_t)));
  const dim3 grid(static_cast<unsigned>(s.blocks));
  launch(device, grid, threads, shared, count_slots, counts, data<int32_t>(a.ids), s, E);
  launch(device, dim3(1), 1024, 0, scan_counts, counts, data<int32_t>(a.offsets), s, E);
  launch(device, grid, warp_size, shared, scatter, data<int32_t>(a.row_of), data<int32_t>(a.token_of), counts,
         data<int32_t>(a.ids), data<int32_t>(a.offsets), s, E, K);
}

}  // namespace fathom::cuda
