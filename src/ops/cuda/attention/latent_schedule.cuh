// How latent attention on Hopper divides its work: contexts are cut into tiles of 64 cached rows, and every
// worker takes an equal, contiguous run of all queries' tiles. So a batch of any lengths is balanced, and
// only the first and the last query of a worker's run are shared with other workers. The division follows
// from the lengths and the number of workers alone; every block computes it by itself.
#pragma once
#include "ops/cuda/kernel.cuh"

namespace fathom::cuda {

constexpr int latent_tile_rows = 64;
constexpr int max_scheduled_queries = 512;  // in one launch

// A run of tiles of one query, computed by one worker. The parts of a query are numbered from its start.
struct LatentPart {
  int query, first_tile, tiles;
  int index, count;  // this part, of how many
};

// The queries of a launch, in shared memory.
struct ScheduledQueries {
  int sequence[max_scheduled_queries], length[max_scheduled_queries];  // length: cached rows that it sees
  unsigned first_unit[max_scheduled_queries + 1];                      // prefix sums of units of work
};

class LatentSchedule {
 public:
  __device__ LatentSchedule(const ScheduledQueries& q, int queries, int workers)
      : first_unit_(q.first_unit),
        queries_(queries),
        units_(q.first_unit[queries]),
        workers_(min(static_cast<unsigned>(workers), units_)) {}

  // Units of work of a query: its tiles, then what a part costs besides them. A context of length 0 has one
  // tile, of no rows.
  __device__ static unsigned units_of(int length) {
    return max(1, (length + latent_tile_rows - 1) / latent_tile_rows) + part_units;
  }

  // body(LatentPart) for each part of a worker, in order.
  template <class Body>
  __device__ void for_each_part(int worker_index, const Body& body) const {
    const auto worker = static_cast<unsigned>(worker_index);
    if (worker >= workers_) return;
    const unsigned end = begin(worker + 1);
    unsigned unit = begin(worker);
    for (int n = query_of(unit); unit < end; ++n) {
      const unsigned first = first_unit_[n], tiles = first_unit_[n + 1] - first - part_units;
      const unsigned from = unit - first, to = min(end - first, tiles);
      if (from < to) {
        const unsigned first_worker = from == 0 ? worker : worker_of(first),
                       last_worker = to == tiles ? worker : worker_of(first + tiles - 1);
        body(LatentPart{n, static_cast<int>(from), static_cast<int>(to - from),
                        static_cast<int>(worker - first_worker),
                        static_cast<int>(last_worker - first_worker + 1)});
      }
      unit = first_unit_[n + 1];
    }
  }

 private:
  static constexpr unsigned part_units = 1;

  // The worker's units are begin(worker) .. begin(worker + 1) - 1; none is without any. 32 bits suffice: 512
  // queries of 2^20 tokens are 2^23 units.
  __device__ unsigned begin(unsigned worker) const { return units_ * worker / workers_; }
  __device__ unsigned worker_of(unsigned unit) const { return ((unit + 1) * workers_ - 1) / units_; }
  __device__ int query_of(unsigned unit) const {
    int low = 0, high = queries_;  // first_unit_[low] <= unit < first_unit_[high]
    while (high - low > 1) {
      const int middle = (low + high) / 2;
      (first_unit_[middle] <= unit ? low : high) = middle;
    }
    return low;
  }

  const unsigned* first_unit_;
  int queries_;
  unsigned units_, workers_;
};

// Fills q; by all threads of a block, which then needs a barrier. positions[n] is the last token that query n
// sees.
template <int threads>
__device__ void fill(ScheduledQueries& q, const int32_t* sequence, const int32_t* positions, int queries) {
  constexpr int per_thread = (max_scheduled_queries + threads - 1) / threads;
  const int first = threadIdx.x * per_thread;
  unsigned units[per_thread], sum = 0, total;
#pragma unroll
  for (int i = 0; i < per_thread; ++i) {
    const bool inside = first + i < queries;
    const int length = inside ? positions[first + i] + 1 : 0;
    if (inside) q.length[first + i] = length, q.sequence[first + i] = sequence[first + i];
    units[i] = inside ? LatentSchedule::units_of(length) : 0;
    sum += units[i];
  }
  unsigned before = block_exclusive_sum<threads>(sum, &total);
#pragma unroll
  for (int i = 0; i < per_thread; ++i) {
    if (first + i < queries) q.first_unit[first + i] = before;
    before += units[i];
  }
  if (threadIdx.x == 0) q.first_unit[queries] = total;
}

}  // namespace fathom::cuda
