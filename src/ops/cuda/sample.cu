// A block per row. The last token that top-k or top-p keeps is found by radix selection: digit by digit, from
// histograms of keys that order as likelihood does. Weights are integers, so the order of atomic additions
// does not matter.
#include "ops/sample.h"

#include "ops/cuda/kernel.cuh"

namespace fathom::cuda {
namespace {

constexpr int threads = 1024;
using Key = unsigned long long;

// Orders by likelihood: the logit, then for equal logits the lower id.
__device__ Key key_of(float logit, int id) {
  const unsigned bits = __float_as_uint(logit + 0.0f);  // both zeros are one
  const unsigned ordered = bits >> 31 ? ~bits : bits | 0x80000000u;
  return static_cast<Key>(ordered) << 32 | ~static_cast<unsigned>(id);
}
__device__ float logit_of(Key key) {
  const auto ordered = static_cast<unsigned>(key >> 32);
  return __uint_as_float(ordered >> 31 ? ordered ^ 0x80000000u : ~ordered);
}
__device__ int id_of(Key key) {
  return static_cast<int>(~static_cast<unsigned>(key));
}

struct Largest {
  __device__ Key operator()(Key a, Key b) const { return a > b ? a : b; }
};
struct Smallest {
  template <class T>
  __device__ T operator()(T a, T b) const {
    return a < b ? a : b;
  }
};

struct Row {
  const float* logits;
  int V;
  float best, inverse;  // the largest logit, 1 / temperature

  __device__ float weight(float logit) const { return logit == best ? 1 : expf((logit - best) * inverse); }
  // In units of 2^-40: the sum over a vocabulary fits 64 bits.
  __device__ Key units(float logit) const { return static_cast<Key>(weight(logit) * 0x1p40f); }
};

// visit(id, logit) for the ids from `first` on, `step` apart, below `end`; the lanes of a warp call it
// together, with id = -1 past the end. Several loads are in flight.
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

// Counts and mass per digit. Mass is kept in parts of 11 bits, so that a part summed over a vocabulary fits
// 32 bits.
constexpr int digits = 256;
struct Histogram {
  static constexpr int part_bits = 11, parts = 4;
  unsigned mass_of_part[parts][digits];
  int count[digits];
  int digit;   // found
  Key before;  // mass of the digits above

  __device__ void clear() {
    for (int i = threadIdx.x; i < digits; i += threads) {
      for (auto& mass : mass_of_part) mass[i] = 0;
      count[i] = 0;
    }
    if (threadIdx.x == 0) digit = -1;
  }
  __device__ void add(int digit, Key mass) {
    atomicAdd(&count[digit], 1);
    for (int p = 0; mass > 0; ++p, mass >>= part_bits)
      atomicAdd(&mass_of_part[p][digit], static_cast<unsigned>(mass) & ((1u << part_bits) - 1));
  }
  __device__ Key mass(int digit) const {
    Key sum = 0;
    for (int p = 0; p < parts; ++p) sum += static_cast<Key>(mass_of_part[p][digit]) << p * part_bits;
    return sum;
  }
};

// The candidate tokens: a list of keys, or the whole row.
struct Candidates {
  static constexpr int most = 11 * threads, all = most + 1;  // fits the 99 KiB that small GPUs have
  Key keys[most];
  int count;
};
template <class Visit>
__device__ void for_each_key(const Candidates& c, const Row& row, const Visit& visit) {
  if (c.count < Candidates::all)
    for (int first = 0; first < c.count; first += threads) {
      const int i = first + threadIdx.x;
      visit(i < c.count ? c.keys[i] : 0);
    }
  else
    for_each_logit(row.logits, threadIdx.x, row.V, threads,
                   [&](int id, float logit) { visit(id < 0 ? 0 : key_of(logit, id)); });
}

// Lists the row's tokens for which `wanted` holds, in any order; all tokens, if they are too many.
template <class Wanted>
__device__ void list_candidates(Candidates& c, const Row& row, const Wanted& wanted) {
  __syncthreads();
  if (threadIdx.x == 0) c.count = 0;
  __syncthreads();
  for_each_logit(row.logits, threadIdx.x, row.V, threads, [&](int id, float logit) {
    const Key key = id < 0 ? 0 : key_of(logit, id);
    const bool here = id >= 0 && wanted(key);
    const unsigned lanes = __ballot_sync(~0u, here), lane = threadIdx.x % warp_size;
    if (lanes == 0) return;
    int at = lane == 0 ? atomicAdd(&c.count, __popc(lanes)) : 0;
    at = __shfl_sync(~0u, at, 0) + __popc(lanes & ((1u << lane) - 1));
    if (here && at < Candidates::most) c.keys[at] = key;
  });
  __syncthreads();
  if (threadIdx.x == 0) c.count = min(c.count, Candidates::all);
  __syncthreads();
}

// The largest key such that the candidates from it on have a mass of `wanted` or more; 0 if there is none.
template <class Mass>
__device__ Key last_of(Histogram& h, Candidates& c, const Row& row, double wanted, const Mass& mass_of) {
  constexpr int bits = 8;
  const bool of_all = c.count == Candidates::all;
  Key prefix = 0, above = 0;
  for (int shift = 64 - bits; shift >= 0; shift -= bits) {
    __syncthreads();
    h.clear();
    __syncthreads();
    for_each_key(c, row, [&](Key key) {
      const bool here = key > 0 && (shift == 64 - bits || (key ^ prefix) >> (shift + bits) == 0);
      const Key mass = here ? mass_of(key) : 0;
      if (mass > 0) h.add(static_cast<int>(key >> shift & (digits - 1)), mass);
    });
    __syncthreads();
    // A thread per digit, the highest first: the digit at which the running mass reaches what is wanted.
    const int digit = digits - 1 - static_cast<int>(threadIdx.x);
    const Key mine = digit >= 0 ? h.mass(digit) : 0;
    Key total = 0;
    const Key before = above + block_exclusive_sum<threads>(mine, &total);
    if (mine > 0 && static_cast<double>(before) < wanted && static_cast<double>(before + mine) >= wanted)
      h.digit = digit, h.before = before;
    __syncthreads();
    if (h.digit < 0) {
      prefix = 0;
      break;
    }
    prefix |= static_cast<Key>(h.digit) << shift, above = h.before;
    const int left = h.count[h.digit];
    if (left == 1) break;
    if (c.count == Candidates::all && left <= Candidates::most)
      list_candidates(c, row, [&](Key key) { return (key ^ prefix) >> shift == 0; });
  }
  __syncthreads();
  if (of_all && threadIdx.x == 0) c.count = Candidates::all;
  __syncthreads();
  return prefix;
}

// A lower bound of the k-th largest key, from the largest key of every thread: the least of the maxima of k
// or more groups of threads; 0 when k exceeds the threads. Called by all threads.
__device__ Key below_kth(Key mine, int k) {
  if (k > threads) return 0;
  for (int group = 1; group < warp_size && threads / (2 * group) >= k; group *= 2)
    mine = Largest()(mine, __shfl_xor_sync(~0u, mine, group));
  return block_reduce(mine, Smallest());
}

// Each warp owns a range of ids: all warps sum their range, then the one that contains the target finds it. A
// token of less than one unit is never drawn.
__device__ void draw(int32_t* picked, const Row& row, Key last, double min_p, double uniform) {
  const int lane = threadIdx.x % warp_size, warp = threadIdx.x / warp_size;
  const int share = (row.V + threads - 1) / threads * warp_size, begin = min(row.V, warp * share),
            end = min(row.V, begin + share);
  const auto units = [&](int id, float logit) -> Key {
    return id < 0 || key_of(logit, id) < last || row.weight(logit) < min_p ? 0 : row.units(logit);
  };
  Key mine = 0, total = 0;
  for_each_logit(row.logits, begin + lane, end, warp_size,
                 [&](int id, float logit) { mine += units(id, logit); });
  mine = warp_sum(mine);
  const Key before = __shfl_sync(~0u, block_exclusive_sum<threads>(lane == 0 ? mine : 0, &total), 0);
  const Key wanted = static_cast<Key>(uniform * static_cast<double>(total)),
            target = wanted < total ? wanted : total - 1;
  if (target < before || target >= before + mine) return;  // the whole warp
  Key passed = before;
  for_each_logit(row.logits, begin + lane, end, warp_size, [&](int id, float logit) {
    const Key u = units(id, logit);
    const Key through = warp_inclusive_sum(u);
    if (u > 0 && passed + through - u <= target && target < passed + through) *picked = id;
    passed += __shfl_sync(~0u, through, warp_size - 1);
  });
}

// Draws from what top-k, top-p and min-p keep. `mine` is the largest key of each thread.
__device__ void draw_kept(int32_t* picked, const Row& row, Key mine, int k, const double* settings) {
  __shared__ Histogram histogram;
  extern __shared__ __align__(16) std::byte shared[];
  Candidates& candidates = *reinterpret_cast<Candidates*>(shared);
  const double top_p = settings[sample_setting::top_p];
  Key last = 0;  // of the tokens kept
  if (threadIdx.x == 0) candidates.count = Candidates::all;
  __syncthreads();
  if (k > 0 && k < row.V) {
    const Key floor = below_kth(mine, k);
    list_candidates(candidates, row, [&](Key key) { return key >= floor; });
    last = last_of(histogram, candidates, row, k, [](Key) -> Key { return 1; });
  }
  if (top_p < 1) {
    const auto units = [&](Key key) -> Key { return key > 0 && key >= last ? row.units(logit_of(key)) : 0; };
    Key sum = 0, total = 0;
    for_each_key(candidates, row, [&](Key key) { sum += units(key); });
    block_exclusive_sum<threads>(sum, &total);
    // All tokens below this weight hold less mass together than top-p leaves out.
    const auto least = static_cast<Key>((1 - top_p) * static_cast<double>(total) / row.V);
    if (candidates.count == Candidates::all)
      list_candidates(candidates, row, [&](Key key) { return units(key) >= least; });
    last = max(last, last_of(histogram, candidates, row, top_p * static_cast<double>(total), units));
  }
  draw(picked, row, last, settings[sample_setting::min_p], settings[sample_setting::draw]);
}

// Of all tokens, whatever the filters leave. The most likely one is not in the sum of the others: near 0 the
// result keeps its digits.
__device__ float log_prob(const float* logits, int V, int id, int best, double temperature) {
  const double inverse = temperature == 0 ? 1 : fmin(1 / temperature, 1e300), largest = logits[best];
  double others = 0;
  for_each_logit(logits, threadIdx.x, V, threads, [&](int at, float logit) {
    if (at >= 0 && at != best) others += expf(static_cast<float>((logit - largest) * inverse));
  });
  others = block_sum(others);
  return static_cast<float>((logits[id] - largest) * inverse - log1p(others));
}

__global__ void __launch_bounds__(threads)
    pick(int32_t* ids, float* log_probs, const float* logits, int64_t stride, int V, const double* settings,
         int64_t settings_stride, const int32_t* top_k) {
  wait_for_previous_kernel();
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
  bad = block_reduce(bad, Smallest());
  best = block_reduce(best, Largest());
  const int first = id_of(best);
  const double temperature = settings[sample_setting::temperature];
  const float largest = bad < V ? 0 : logits[first];
  if (bad < V || largest == -INFINITY) {
    if (threadIdx.x > 0) return;
    *ids = bad < V ? sample_not_finite(bad) : sample_nothing_likely;
    if (log_probs) log_probs[n] = NAN;
    return;
  }
  if (temperature == 0) {
    if (threadIdx.x == 0) *ids = first;
  } else {
    draw_kept(ids, {logits, V, largest, static_cast<float>(1 / temperature)}, mine, top_k[n], settings);
  }
  if (!log_probs) return;
  __syncthreads();
  const float picked = log_prob(logits, V, *ids, first, temperature);
  if (threadIdx.x == 0) log_probs[n] = picked;
}

}  // namespace

void sample(Device& device, const Sample& a) {
  with_dtype<float>("sample", a.logits.dtype, [&](float) {
    launch_chained(device, dim3(static_cast<unsigned>(a.logits.rows())), threads, sizeof(Candidates), pick,
                   data<int32_t>(a.ids), a.log_probs ? data<float>(a.log_probs) : nullptr,
                   data<float>(a.logits), a.logits.row_stride, a.logits.cols(), data<double>(a.settings),
                   a.settings.row_stride, data<int32_t>(a.top_k));
  });
}

}  // namespace fathom::cuda
