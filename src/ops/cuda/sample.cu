// A block a row. The token that top-k or top-p keep last is found digit by digit, from histograms of keys
// that order as likelihood does; weights are whole numbers, so that it does not matter in which order threads
// add them up.
#include "ops/sample.h"

#include "ops/cuda/kernel.cuh"

namespace fathom::cuda {
namespace {

constexpr int threads = 1024;
using Key = unsigned long long;

// Larger is more likely: the logit, then of equal ones the lower id.
__device__ Key key_of(float logit, int id) {
  const unsigned bits = __float_as_uint(logit + 0.0f);  // both zeros are one
  const unsigned ordered = bits >> 31 ? ~bits : bits | 0x80000000u;
  return static_cast<Key>(ordered) << 32 | ~static_cast<unsigned>(id);
}
__device__ int id_of(Key key) {
  return static_cast<int>(~static_cast<unsigned>(key));
}

struct Largest {
  __device__ Key operator()(Key a, Key b) const { return a > b ? a : b; }
};
struct Smallest {
  __device__ int operator()(int a, int b) const { return a < b ? a : b; }
};

struct Row {
  const float* logits;
  int V;
  float best, inverse;  // the largest logit, 1 / temperature

  __device__ float weight(float logit) const { return logit == best ? 1 : expf((logit - best) * inverse); }
  // In units of 2^-40: the sum of a vocabulary's fits 64 bits.
  __device__ Key units(float logit) const { return static_cast<Key>(weight(logit) * 0x1p40f); }
};

// visit(id, logit) for the ids from `first` on, `step` apart, below `end`; a warp's lanes do it together,
// with id = -1 where there is none. Some reads are always on their way.
template <class Visit>
__device__ void for_each_logit(const float* logits, int first, int end, int step, const Visit& visit) {
  constexpr int at_once = 8;
  const int lane = threadIdx.x % warp_size;
  for (int id = first; id - lane < end; id += at_once * step) {
    float x[at_once];
#pragma unroll
    for (int j = 0; j < at_once; ++j) x[j] = id + j * step < end ? logits[id + j * step] : 0;
#pragma unroll
    for (int j = 0; j < at_once; ++j) visit(id + j * step < end ? id + j * step : -1, x[j]);
  }
}

constexpr int digits = 256;
struct Histogram {
  Key mass[digits];
  int count[digits];
  int digit;   // found
  Key before;  // mass of the digits above
};

// Sums of the threads before this one; total: of all.
__device__ Key sum_before(Key mine, Key* total) {
  __shared__ Key warps[warp_size];
  const int lane = threadIdx.x % warp_size, warp = threadIdx.x / warp_size;
  Key through = mine;
  for (int step = 1; step < warp_size; step *= 2) {
    const Key other = __shfl_up_sync(~0u, through, step);
    if (lane >= step) through += other;
  }
  if (lane == warp_size - 1) warps[warp] = through;
  __syncthreads();
  Key before = through - mine, all = 0;
  for (int w = 0; w < threads / warp_size; ++w) {
    if (w < warp) before += warps[w];
    all += warps[w];
  }
  __syncthreads();
  *total = all;
  return before;
}

// Adds this lane's mass to its digit's; lanes of one digit go together. digit < 0: none. Called by whole
// warps.
__device__ void add(Histogram& h, int digit, Key mass) {
  const unsigned same = __match_any_sync(~0u, digit);
  constexpr int half = 24;  // sums of 32 lanes of it fit 32 bits
  const unsigned low = __reduce_add_sync(same, static_cast<unsigned>(mass & ((1u << half) - 1))),
                 high = __reduce_add_sync(same, static_cast<unsigned>(mass >> half));
  if (digit < 0 || static_cast<int>(threadIdx.x % warp_size) != __ffs(same) - 1) return;
  atomicAdd(&h.mass[digit], (static_cast<Key>(high) << half) + low);
  atomicAdd(&h.count[digit], __popc(same));
}

// The largest key such that all keys from it on, none below `floor`, have a mass of `wanted` or more, where a
// key's mass is units(its logit); `floor` if there is none. Lower keys without a mass may pass, too.
template <class Units>
__device__ Key last_of(Histogram& h, const Row& row, Key floor, double wanted, const Units& units) {
  constexpr int bits = 8;
  Key prefix = 0, above = 0;
  for (int shift = 64 - bits; shift >= 0; shift -= bits) {
    for (int i = threadIdx.x; i < digits; i += threads) h.mass[i] = 0, h.count[i] = 0;
    if (threadIdx.x == 0) h.digit = -1;
    __syncthreads();
    for_each_logit(row.logits, threadIdx.x, row.V, threads, [&](int id, float logit) {
      const Key key = key_of(logit, id);
      const bool here =
          id >= 0 && key >= floor && (shift == 64 - bits || (key ^ prefix) >> (shift + bits) == 0);
      const Key mass = here ? units(logit) : 0;
      if (__any_sync(~0u, mass > 0))
        add(h, mass > 0 ? static_cast<int>(key >> shift & (digits - 1)) : -1, mass);
    });
    __syncthreads();
    // A thread looks at a digit, the highest first: the one whose mass reaches what is wanted is the one.
    const int digit = digits - 1 - static_cast<int>(threadIdx.x);
    const Key mine = digit >= 0 ? h.mass[digit] : 0;
    Key total = 0;
    const Key before = above + sum_before(mine, &total);
    if (mine > 0 && static_cast<double>(before) < wanted && static_cast<double>(before + mine) >= wanted)
      h.digit = digit, h.before = before;
    __syncthreads();
    if (h.digit < 0) return floor;
    prefix |= static_cast<Key>(h.digit) << shift, above = h.before;
    const bool alone = h.count[h.digit] == 1;
    __syncthreads();
    if (alone) break;
  }
  return prefix > floor ? prefix : floor;
}

// A key that the k-th largest of all reaches: the k-th largest of the threads' own largest; 0 when there are
// not so many. Called by all threads.
__device__ Key below_kth(Key mine, int k) {
  __shared__ Key largest[threads], found;
  largest[threadIdx.x] = mine;
  if (threadIdx.x == 0) found = 0;
  __syncthreads();
  int larger = 0;
  for (int i = 0; i < threads; ++i) larger += largest[i] > mine;
  if (mine > 0 && larger == k - 1) found = mine;
  __syncthreads();
  return found;
}

// A warp looks after a stretch of ids: first all add theirs up, then the one that has the target walks to it.
// A token lighter than a unit is never drawn.
__device__ void draw(int32_t* picked, const Row& row, Key last, Key least, double min_p, double uniform) {
  const int lane = threadIdx.x % warp_size, warp = threadIdx.x / warp_size;
  const int share = (row.V + threads - 1) / threads * warp_size, begin = min(row.V, warp * share),
            end = min(row.V, begin + share);
  const auto units = [&](int id, float logit) -> Key {
    if (id < 0 || key_of(logit, id) < last || row.weight(logit) < min_p) return 0;
    const Key u = row.units(logit);
    return u < least ? 0 : u;
  };
  Key mine = 0, total = 0;
  for_each_logit(row.logits, begin + lane, end, warp_size,
                 [&](int id, float logit) { mine += units(id, logit); });
  mine = warp_sum(mine);
  const Key before = __shfl_sync(~0u, sum_before(lane == 0 ? mine : 0, &total), 0);
  const Key wanted = static_cast<Key>(uniform * static_cast<double>(total)),
            target = wanted < total ? wanted : total - 1;
  if (target < before || target >= before + mine) return;  // the whole warp
  Key passed = before;
  for_each_logit(row.logits, begin + lane, end, warp_size, [&](int id, float logit) {
    const Key u = units(id, logit);
    Key through = u;
    for (int step = 1; step < warp_size; step *= 2) {
      const Key other = __shfl_up_sync(~0u, through, step);
      if (lane >= step) through += other;
    }
    if (u > 0 && passed + through - u <= target && target < passed + through) *picked = id;
    passed += __shfl_sync(~0u, through, warp_size - 1);
  });
}

__global__ void __launch_bounds__(threads)
    pick(int32_t* ids, const float* logits, int64_t stride, int V, const double* settings,
         int64_t settings_stride, const int32_t* top_k) {
  __shared__ Histogram histogram;
  const int64_t n = blockIdx.x;
  logits += n * stride, settings += n * settings_stride, ids += n;
  Key best = 0;
  int bad = V;
  for_each_logit(logits, threadIdx.x, V, threads, [&](int id, float logit) {
    if (id < 0) return;
    if (!(logit < INFINITY)) bad = min(bad, id);
    best = Largest()(best, key_of(logit, id));
  });
  const Key mine = best;
  bad = block_join(bad, Smallest());
  best = block_join(best, Largest());
  const int first = id_of(best), k = top_k[n];
  const double temperature = settings[sample_setting::temperature], top_p = settings[sample_setting::top_p];
  const float largest = bad < V ? 0 : logits[first];
  if (bad < V || largest == -INFINITY || temperature == 0) {
    if (threadIdx.x == 0)
      *ids = bad < V ? sample_not_finite(bad) : largest == -INFINITY ? sample_nothing_likely : first;
    return;
  }
  const Row row{logits, V, largest, static_cast<float>(1 / temperature)};
  Key last = 0, least = 0;  // of the tokens kept
  if (k > 0 && k < V) last = last_of(histogram, row, below_kth(mine, k), k, [](float) -> Key { return 1; });
  if (top_p < 1) {
    Key sum = 0, total = 0;
    for_each_logit(logits, threadIdx.x, V, threads, [&](int id, float logit) {
      if (id >= 0 && key_of(logit, id) >= last) sum += row.units(logit);
    });
    sum_before(sum, &total);
    // All tokens lighter than this hold less together than top-p leaves out.
    least = static_cast<Key>((1 - top_p) * static_cast<double>(total) / V);
    last = last_of(histogram, row, last, top_p * static_cast<double>(total), [&](float logit) {
      const Key units = row.units(logit);
      return units < least ? 0 : units;
    });
  }
  draw(ids, row, last, least, settings[sample_setting::min_p], settings[sample_setting::draw]);
}

}  // namespace

void sample(Device& device, const Sample& a) {
  with_dtype<float>("sample", a.logits.dtype, [&](float) {
    launch(device, dim3(static_cast<unsigned>(a.logits.rows())), threads, 0, pick, data<int32_t>(a.ids),
           data<float>(a.logits), a.logits.row_stride, a.logits.cols(), data<double>(a.settings),
           a.settings.row_stride, data<int32_t>(a.top_k));
  });
}

}  // namespace fathom::cuda
