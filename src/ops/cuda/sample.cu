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

constexpr int digits = 256;
struct Histogram {
  Key mass[digits];
  int count[digits];
  int digit;   // found
  Key before;  // mass of the digits above
};

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
// key's mass is units(its logit); `floor` if there is none.
template <class Units>
__device__ Key last_of(Histogram& h, const Row& row, Key floor, double wanted, const Units& units) {
  constexpr int bits = 8;
  Key prefix = 0, above = 0;
  for (int shift = 64 - bits; shift >= 0; shift -= bits) {
    for (int i = threadIdx.x; i < digits; i += threads) h.mass[i] = 0, h.count[i] = 0;
    __syncthreads();
#pragma unroll 4
    for (int first = 0; first < row.V; first += threads) {
      const int id = first + threadIdx.x;
      const float logit = id < row.V ? row.logits[id] : 0;
      const Key key = key_of(logit, id);
      const bool mine =
          id < row.V && key >= floor && (shift == 64 - bits || (key ^ prefix) >> (shift + bits) == 0);
      if (__any_sync(~0u, mine))
        add(h, mine ? static_cast<int>(key >> shift & (digits - 1)) : -1, mine ? units(logit) : 0);
    }
    __syncthreads();
    if (threadIdx.x == 0) {
      Key sum = above;
      int digit = digits - 1;
      for (; digit >= 0; --digit) {
        if (static_cast<double>(sum + h.mass[digit]) >= wanted && h.count[digit] > 0) break;
        sum += h.mass[digit];
      }
      h.digit = digit, h.before = sum;
    }
    __syncthreads();
    const int digit = h.digit;
    if (digit < 0) return floor;
    prefix |= static_cast<Key>(digit) << shift, above = h.before;
    const bool alone = h.count[digit] == 1;
    __syncthreads();
    if (alone) break;
  }
  return prefix > floor ? prefix : floor;
}

// A thread looks after neighbouring ids. A token lighter than a unit is never drawn.
__device__ void draw(int32_t* picked, const Row& row, Key last, double min_p, double uniform) {
  const int share = (row.V + threads - 1) / threads,
            begin = min(row.V, static_cast<int>(threadIdx.x) * share), end = min(row.V, begin + share);
  const auto units = [&](int id) -> Key {
    const float logit = row.logits[id];
    return key_of(logit, id) >= last && row.weight(logit) >= min_p ? row.units(logit) : 0;
  };
  Key mine = 0, total = 0;
  for (int id = begin; id < end; ++id) mine += units(id);
  const Key before = block_sum_before<threads>(mine, &total),
            wanted = static_cast<Key>(uniform * static_cast<double>(total)),
            target = wanted < total ? wanted : total - 1;
  if (target < before || target >= before + mine) return;
  Key left = target - before;
  for (int id = begin; id < end; ++id) {
    const Key u = units(id);
    if (left < u) {
      *picked = id;
      return;
    }
    left -= u;
  }
}

__global__ void __launch_bounds__(threads)
    pick(int32_t* ids, const float* logits, int64_t stride, int V, const double* settings,
         int64_t settings_stride, const int32_t* top_k) {
  __shared__ Histogram histogram;
  const int64_t n = blockIdx.x;
  logits += n * stride, settings += n * settings_stride, ids += n;
  Key best = 0;
  int bad = V;
  for (int id = threadIdx.x; id < V; id += threads) {
    const float logit = logits[id];
    if (!(logit < INFINITY)) bad = min(bad, id);
    best = Largest()(best, key_of(logit, id));
  }
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
  Key last = 0;
  if (k > 0 && k < V) last = last_of(histogram, row, 0, k, [](float) -> Key { return 1; });
  if (top_p < 1) {
    Key mine = 0, total = 0;
    for (int id = threadIdx.x; id < V; id += threads)
      if (key_of(logits[id], id) >= last) mine += row.units(logits[id]);
    block_sum_before<threads>(mine, &total);
    last = last_of(histogram, row, last, top_p * static_cast<double>(total),
                   [&](float logit) { return row.units(logit); });
  }
  draw(ids, row, last, settings[sample_setting::min_p], settings[sample_setting::draw]);
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
