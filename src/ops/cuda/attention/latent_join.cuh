// The joining of a query's parts inside the grid, by log-sum-exp: each worker of a query computes a stripe of
// its outputs from all parts.
#pragma once
#include "ops/cuda/attention/latent_attention_wgmma.cuh"

namespace fathom::cuda {

// Some parts of four outputs, two of each of two heads. Layout::spread(a, b) gives each of the four the value
// of its head.
template <class Layout>
struct JoinedFour {
  float max[2] = {-INFINITY, -INFINITY}, sum[2] = {};
  float4 out{};

  template <int n>
  __device__ void add(const JoinedFour (&parts)[n]) {
    float factor[2], weight[n][2];
#pragma unroll
    for (int head = 0; head < 2; ++head) {
      float largest = max[head];
#pragma unroll
      for (int k = 0; k < n; ++k) largest = fmaxf(largest, parts[k].max[head]);
      factor[head] = exp2_shifted(max[head], largest);
      max[head] = largest, sum[head] *= factor[head];
#pragma unroll
      for (int k = 0; k < n; ++k) {
        weight[k][head] = exp2_shifted(parts[k].max[head], largest);
        sum[head] += weight[k][head] * parts[k].sum[head];
      }
    }
    const float4 old = Layout::spread(factor[0], factor[1]);
    out.x *= old.x, out.y *= old.y, out.z *= old.z, out.w *= old.w;
#pragma unroll
    for (int k = 0; k < n; ++k) {
      const float4 w = Layout::spread(weight[k][0], weight[k][1]), x = parts[k].out;
      out.x += w.x * x.x, out.y += w.y * x.y, out.z += w.z * x.z, out.w += w.w * x.w;
    }
  }
  __device__ float4 normalized() const {
    const float4 w = Layout::spread(inverse_sum(sum[0]), inverse_sum(sum[1]));
    return make_float4(out.x * w.x, out.y * w.y, out.z * w.z, out.w * w.w);
  }
};

// Joins the parts of a query: this worker's stripe of the outputs. Called by all consumers. Layout tells
// where an accumulator four belongs. Neighbouring threads take neighbouring fours; where the stripe has fewer
// fours than there are threads, groups of threads share the parts. `shared` has one element per consumer.
template <class Layout, int heads>
__device__ void join_parts(JoinedFour<Layout>* shared, const LatentPartResults<heads, latent_width>& results,
                           int worker, const LatentPart& part, const LatentParameters& p, int first_head) {
  using Result = LatentPartResult<heads, latent_width>;
  constexpr int at_once = 4;  // parts
  const int count = part.count, first = Result::fours * part.index / count,
            end = Result::fours * (part.index + 1) / count;
  int width = consumer_threads;  // of a group
  while (width > warp_size / 2 && width / 2 >= end - first) width /= 2;
  const int groups = consumer_threads / width, group = threadIdx.x / width;
  if (threadIdx.x == 0) results.wait(part);
  consumer_sync();
  for (int base = first; base < end; base += width) {
    const int four = min(base + static_cast<int>(threadIdx.x) % width, end - 1);
    const Layout place(four);
    JoinedFour<Layout> joined;
    for (int i = group; i < count; i += at_once * groups) {
      JoinedFour<Layout> parts[at_once];
#pragma unroll
      for (int k = 0; k < at_once; ++k)
        if (i + k * groups < count) {
          const Result& r = results.sibling(worker, part, i + k * groups);
          parts[k].out = __ldcg(r.out + four);
#pragma unroll
          for (int head = 0; head < 2; ++head) {
            const int h = place.head + head * Layout::head_step;
            parts[k].max[head] = __ldcg(r.max + h), parts[k].sum[head] = __ldcg(r.sum + h);
          }
        }
      joined.add(parts);
    }
    if (groups > 1) {
      shared[threadIdx.x] = joined;
      consumer_sync();
      if (group == 0)
        for (int other = 1; other < groups; ++other) {
          const JoinedFour<Layout> parts[1] = {shared[threadIdx.x + other * width]};
          joined.add(parts);
        }
      consumer_sync();
    }
    if (group == 0 && base + static_cast<int>(threadIdx.x) < end)
      place.store(p, part.query, first_head, joined.normalized());
  }
  consumer_sync();
  if (threadIdx.x == 0) results.leave(part);
}

}  // namespace fathom::cuda
