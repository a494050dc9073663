// A stable counting sort of slots by expert: what a warp and a block do of it.
#pragma once
#include "ops/cuda/kernel.cuh"
#include "ops/expert_sort.h"

namespace fathom::cuda {

__device__ inline void count_slot(int* histogram, int e) {
  if (e != ExpertSort::nowhere) atomicAdd(histogram + e, 1);
}

// Scatters slots begin .. end - 1 in order, by one warp: within a step a slot follows those of its expert in
// earlier lanes. next[e]: the next free row of expert e. Of rows begin .. end - 1, those at and past `used`
// are nobody's.
__device__ inline void scatter_slots(int32_t* row_of, int32_t* token_of, int* next, const int32_t* ids,
                                     int64_t begin, int64_t end, int K, int64_t used) {
  const int lane = threadIdx.x % warp_size;
  for (int64_t i = begin; i < end; i += warp_size) {
    const int64_t slot = i + lane;
    const int e = slot < end ? ids[slot] : ExpertSort::nowhere;
    const unsigned same = __match_any_sync(~0u, e), before = same & ((1u << lane) - 1);
    const int row = e < 0 ? 0 : next[e] + __popc(before);
    __syncwarp();
    if (e >= 0) {
      if (before == 0) next[e] += __popc(same);
      row_of[slot] = row;
      token_of[row] = static_cast<int32_t>(slot / K);
    } else if (slot < end) {
      row_of[slot] = ExpertSort::nowhere;
    }
    __syncwarp();
  }
  for (int64_t row = max(begin, used) + lane; row < end; row += warp_size) token_of[row] = 0;
}

struct SlotSort {
  int32_t *offsets, *row_of, *token_of;
  const int32_t* ids;
  int64_t M;  // slots
  int E, K;
};
inline SlotSort slot_sort(const ExpertSort& a) {
  return {.offsets = data<int32_t>(a.offsets),
          .row_of = data<int32_t>(a.row_of),
          .token_of = data<int32_t>(a.token_of),
          .ids = data<int32_t>(a.ids),
          .M = a.ids.count(),
          .E = static_cast<int>(a.offsets.cols() - 1),
          .K = static_cast<int>(a.ids.cols())};
}

constexpr int sort_warps = 16;
// Ints of shared memory that a block needs.
__host__ __device__ constexpr int64_t sort_scratch(int64_t E) {
  return sort_warps * E;
}
// The whole sort by one block of sort_warps warps, which take ranges of slots. counts: sort_scratch(E) ints,
// the warps' histograms, then their next free rows.
__device__ inline void sort_slots(const SlotSort& s, int* counts) {
  const int lane = threadIdx.x % warp_size, warp = threadIdx.x / warp_size;
  int* own = counts + warp * s.E;
  for (int e = lane; e < s.E; e += warp_size) own[e] = 0;
  __syncwarp();
  const int64_t steps = (s.M + sort_warps * warp_size - 1) / (sort_warps * warp_size),
                share = steps * warp_size;
  const int64_t begin = min(warp * share, s.M), end = min(begin + share, s.M);
  for (int64_t i = begin + lane; i < end; i += warp_size) count_slot(own, s.ids[i]);
  __syncthreads();
  if (warp == 0) {
    int row = 0;
    for (int first = 0; first < s.E; first += warp_size) {
      const int e = first + lane;
      int count = 0;
      if (e < s.E)
        for (int w = 0; w < sort_warps; ++w) count += counts[w * s.E + e];
      const int through = warp_inclusive_sum(count);
      int next = row + through - count;
      if (e < s.E) {
        s.offsets[e] = next;
        for (int w = 0; w < sort_warps; ++w) {
          const int of_warp = counts[w * s.E + e];
          counts[w * s.E + e] = next;
          next += of_warp;
        }
      }
      row += __shfl_sync(~0u, through, warp_size - 1);
    }
    if (lane == 0) s.offsets[s.E] = row;
  }
  __syncthreads();
  scatter_slots(s.row_of, s.token_of, own, s.ids, begin, end, s.K, s.offsets[s.E]);
}

}  // namespace fathom::cuda
