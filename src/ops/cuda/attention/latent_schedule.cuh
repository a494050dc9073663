// How latent attention on Hopper divides its work: contexts are cut into tiles of 64 cached rows, and every
// worker takes an equal, contiguous run of all queries' tiles. So a batch of any lengths is balanced, and
// only the first and the last query of a worker's run are shared with other workers. The division follows
// from the lengths and the number of workers alone; every block computes it by itself.
#pragma once
#include "ops/cuda/kernel.cuh"

namespace fathom::cuda {

constexpr int latent_tile_rows = 64;
constexpr int max_scheduled_queries = 1024;  // in one launch

// A run of tiles of one query, computed by one worker. The parts of a query are numbered from its start.
struct LatentPart {
  int query, first_tile, tiles;
  int index, count;  // this part, of how many
};

class LatentSchedule {
 public:
  __host__ __device__ LatentSchedule(const int* first_unit, int queries, int workers)
      : first_unit_(first_unit),
        queries_(queries),
        workers_(workers < first_unit[queries] ? workers : first_unit[queries]) {}

  // Units of work of a query: its tiles, then what a part costs besides them. A context of length 0 has one
  // tile, of no rows.
  __host__ __device__ static int tiles_of(int length) {
    return length > latent_tile_rows ? (length - 1) / latent_tile_rows + 1 : 1;
  }
  __host__ __device__ static int units_of(int length) { return tiles_of(length) + part_units; }

  // body(LatentPart) for each part of a worker, in order.
  template <class Body>
  __host__ __device__ void for_each_part(int worker, const Body& body) const {
    if (worker >= workers_) return;
    const int end = begin(worker + 1);
    int unit = begin(worker);
    for (int n = query_of(unit); unit < end; ++n) {
      const int first = first_unit_[n], tiles = first_unit_[n + 1] - first - part_units;
      const int from = unit - first, to = smaller(end - first, tiles);
      if (from < to) {
        const int first_worker = worker_of(first), last_worker = worker_of(first + tiles - 1);
        body(LatentPart{n, from, to - from, worker - first_worker, last_worker - first_worker + 1});
      }
      unit = first_unit_[n + 1];
    }
  }

 private:
  static constexpr int part_units = 2;

  __host__ __device__ static int smaller(int a, int b) { return a < b ? a : b; }
  __host__ __device__ int64_t units() const { return first_unit_[queries_]; }
  // The worker's units are begin(worker) .. begin(worker + 1) - 1; none is without any.
  __host__ __device__ int begin(int worker) const { return static_cast<int>(units() * worker / workers_); }
  __host__ __device__ int worker_of(int unit) const {
    return static_cast<int>(((unit + int64_t{1}) * workers_ - 1) / units());
  }
  __host__ __device__ int query_of(int unit) const {
    int low = 0, high = queries_;  // first_unit_[low] <= unit < first_unit_[high]
    while (high - low > 1) {
      const int middle = (low + high) / 2;
      (first_unit_[middle] <= unit ? low : high) = middle;
    }
    return low;
  }

  const int* first_unit_;  // [queries + 1]: prefix sums of units_of()
  int queries_, workers_;
};

// Fills first_unit[queries + 1]; by all threads of a block, which then needs a barrier. positions[n] is the
// last token that query n sees.
template <int threads>
__device__ void fill_first_units(int* first_unit, const int32_t* positions, int queries) {
  constexpr int per_thread = (max_scheduled_queries + threads - 1) / threads;
  const int first = threadIdx.x * per_thread;
  int units[per_thread], sum = 0, total;
  for (int i = 0; i < per_thread; ++i) {
    units[i] = first + i < queries ? LatentSchedule::units_of(positions[first + i] + 1) : 0;
    sum += units[i];
  }
  int before = block_exclusive_sum<threads>(sum, &total);
  for (int i = 0; i < per_thread; ++i) {
    if (first + i < queries) first_unit[first + i] = before;
    before += units[i];
  }
  if (threadIdx.x == 0) first_unit[queries] = total;
}

}  // namespace fathom::cuda
