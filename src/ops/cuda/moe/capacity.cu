// A block per group and unit. A radix selection over the choices' ranks, a byte at a time from the highest,
// finds the lowest rank that has room; it ends with the byte that tells it from the others.
#include "ops/capacity.h"

#include "ops/choice_rank.h"
#include "ops/cuda/kernel.cuh"
#include "ops/expert_sort.h"

namespace fathom::cuda {
namespace {

constexpr int threads = 512;
constexpr int digits = 256;

struct Part {
  const int32_t* ids;   // of the unit's first slot
  const float* scores;  // of its first token
  int64_t scores_stride;
  int slots, K, size, group;  // slots of the unit, experts of a group

  // f(slot, rank) for each choice of the group, over the block's threads.
  template <class F>
  __device__ void each(const F& f) const {
    for (int slot = threadIdx.x; slot < slots; slot += threads) {
      const int id = ids[slot];
      if (id / size == group)
        f(slot, choice_rank(__float_as_uint(scores[slot / K * scores_stride + id]), slot));
    }
  }
};

// Where the last element lies that has room, in a histogram of digits, the largest first.
struct Found {
  int digit;
  int room;   // for elements of this digit
  int count;  // of them
};
// By one warp: each lane takes a range of digits. There are `room` elements or more.
__device__ void find_digit(Found* found, const int* histogram, int room) {
  constexpr int own = digits / warp_size;
  const int first = digits - 1 - static_cast<int>(threadIdx.x) * own;
  int count = 0;
  for (int i = 0; i < own; ++i) count += histogram[first - i];
  const int through = warp_inclusive_sum(count), before = through - count;
  if (before >= room || room > through) return;
  room -= before;
  int digit = first;
  for (; histogram[digit] < room; --digit) room -= histogram[digit];
  *found = {digit, room, histogram[digit]};
}

// The lowest rank that has room, of more choices than there is room for; room > 0. All threads must call it.
__device__ uint64_t lowest_kept(const Part& part, int room) {
  __shared__ int histogram[digits];
  __shared__ Found found;
  uint64_t rank = 0;
  for (int shift = 56; shift >= 0; shift -= 8) {
    for (int i = threadIdx.x; i < digits; i += threads) histogram[i] = 0;
    __syncthreads();
    part.each([&](int, uint64_t r) {
      if (shift == 56 || r >> (shift + 8) == rank >> (shift + 8))
        atomicAdd(histogram + (r >> shift) % digits, 1);
    });
    __syncthreads();
    if (threadIdx.x < warp_size) find_digit(&found, histogram, room);
    __syncthreads();
    const Found f = found;
    rank |= static_cast<uint64_t>(f.digit) << shift;
    room = f.room;
    if (f.room == f.count) break;  // all of this digit have room
  }
  return rank;
}

__global__ void __launch_bounds__(threads) drop_choices(int32_t* kept, int32_t* dropped, Part part,
                                                        const int32_t* exempt, int64_t tokens, int room) {
  const int64_t unit = blockIdx.y;
  part.group = blockIdx.x;
  part.ids += unit * part.slots;
  part.scores += unit * tokens * part.scores_stride;
  kept += unit * part.slots;
  int own = 0;
  part.each([&](int, uint64_t) { ++own; });
  own = block_sum(own);
  const bool all = exempt[unit] || own <= room;
  const uint64_t lowest = all ? 0 : room > 0 ? lowest_kept(part, room) : UINT64_MAX;
  part.each(
      [&](int slot, uint64_t rank) { kept[slot] = rank >= lowest ? part.ids[slot] : ExpertSort::nowhere; });
  if (!all && dropped && threadIdx.x == 0) atomicAdd(dropped, own - room);
}

}  // namespace

void capacity(Device& device, const Capacity& a) {
  with_dtype<float>("capacity", a.scores.dtype, [&](float) {
    const int64_t U = a.exempt.cols(), tokens = a.ids.rows() / U, K = a.ids.cols(), D = a.n_groups;
    const Part part = {.ids = data<int32_t>(a.ids),
                       .scores = data<float>(a.scores),
                       .scores_stride = a.scores.row_stride,
                       .slots = static_cast<int>(tokens * K),
                       .K = static_cast<int>(K),
                       .size = static_cast<int>(a.scores.cols() / D),
                       .group = 0};
    launch(device, dim3(static_cast<unsigned>(D), static_cast<unsigned>(U)), threads, 0, drop_choices,
           data<int32_t>(a.kept), data<int32_t>(a.dropped), part, data<int32_t>(a.exempt), tokens,
           std::min<int64_t>(a.capacity, INT32_MAX));
  });
}

}  // namespace fathom::cuda
