// A thread for each slot.
#include "ops/expert_ranks.h"

#include "ops/cuda/kernel.cuh"
#include "ops/expert_sort.h"

namespace fathom::cuda {
namespace {

constexpr int threads = 256;
constexpr int32_t nowhere = ExpertSort::nowhere;

// The rank of an expert; -1 of what goes nowhere.
__device__ int rank_of(int32_t id, int experts) {
  return id == nowhere ? -1 : id / experts;
}

// Sums of integers, so that the order of the blocks does not matter.
__global__ void rank_slots(int32_t* ranks, int32_t* choices, const int32_t* ids, int64_t M, int K, int R,
                           int experts) {
  extern __shared__ int own[];  // [R]
  for (int r = threadIdx.x; r < R; r += threads) own[r] = 0;
  __syncthreads();
  const int64_t slot = static_cast<int64_t>(blockIdx.x) * threads + threadIdx.x;
  if (slot < M) {
    const int rank = rank_of(ids[slot], experts);
    bool first = rank >= 0;
    for (int64_t other = slot - slot % K; other < slot; ++other)
      first = first && rank_of(ids[other], experts) != rank;
    ranks[slot] = first ? rank : nowhere;
    if (rank >= 0) atomicAdd(own + rank, 1);
  }
  __syncthreads();
  for (int r = threadIdx.x; r < R; r += threads)
    if (own[r]) atomicAdd(choices + r, own[r]);
}

__global__ void number_locally(int32_t* local, const int32_t* ids, const int32_t* row_of, int64_t M, int K,
                               int experts) {
  const int64_t slot = static_cast<int64_t>(blockIdx.x) * threads + threadIdx.x;
  if (slot >= M) return;
  const int64_t row = row_of[slot];
  if (row == nowhere) return;
  const int rank = rank_of(ids[slot], experts);
  const int32_t* chosen = ids + (slot - slot % K);
  for (int j = 0; j < K; ++j)
    local[row * K + j] = rank_of(chosen[j], experts) == rank ? chosen[j] - rank * experts : nowhere;
}

dim3 grid_of(const Tensor& slots) {
  return dim3(static_cast<unsigned>(ceil_div(slots.count(), threads)));
}

}  // namespace

void expert_ranks(Device& device, const ExpertRanks& a) {
  const int64_t R = a.choices.cols();
  launch(device, grid_of(a.ids), threads, static_cast<size_t>(R) * sizeof(int), rank_slots,
         data<int32_t>(a.ranks), data<int32_t>(a.choices), data<int32_t>(a.ids), a.ids.count(), a.ids.cols(),
         R, a.experts);
}

void expert_ranks_local(Device& device, const ExpertRanksLocal& a) {
  launch(device, grid_of(a.ids), threads, 0, number_locally, data<int32_t>(a.local), data<int32_t>(a.ids),
         data<int32_t>(a.row_of), a.ids.count(), a.ids.cols(), a.experts);
}

}  // namespace fathom::cuda
