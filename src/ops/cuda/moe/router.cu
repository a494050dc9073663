// A warp per token; lane l holds experts l, l + 32, ... of its scores.
#include "ops/router.h"

#include "ops/cuda/kernel.cuh"

namespace fathom::cuda {
namespace {

constexpr int threads = 128;
constexpr int tokens_per_block = threads / warp_size;

// The best candidate so far. Scores are not negative, so their bits order as they do. Of equal scores the
// lower id wins; NaN wins over all, so that every lane agrees whatever the scores are. key 0: no candidate.
struct BestCandidate {
  unsigned key = 0;
  int id = -1;

  __device__ void take(float score, int candidate) {
    const unsigned k = __float_as_uint(score) + 1;
    if (k > key) key = k, id = candidate;
  }
  // The best of all lanes; each must have taken its candidates in order of id.
  __device__ int warp_best() const {
    const unsigned best = __reduce_max_sync(~0u, key);
    return static_cast<int>(__reduce_min_sync(~0u, key == best ? static_cast<unsigned>(id) : ~0u));
  }
};

struct Choice {
  int E, K, n_groups, topk_groups;
  bool normalize;
  float scaling;
};

__device__ void softmax(float* scores, const float* logits, int E, int lane) {
  float max = -INFINITY, sum = 0;
  for (int e = lane; e < E; e += warp_size) max = fmaxf(max, logits[e]);
  max = warp_max(max);
  for (int e = lane; e < E; e += warp_size) sum += scores[e] = expf(logits[e] - max);
  sum = warp_sum(sum);
  for (int e = lane; e < E; e += warp_size) scores[e] /= sum;
}

// eligible[e]: whether expert e is in one of the topk_groups groups with the highest maximum score. A lane
// computes the maxima of its groups.
__device__ void mark_eligible_groups(unsigned char* eligible, float* group_best, const float* scores,
                                     const Choice& c, int lane) {
  const int size = c.E / c.n_groups;
  for (int e = lane; e < c.E; e += warp_size) eligible[e] = c.n_groups == c.topk_groups;
  if (c.n_groups == c.topk_groups) return;
  for (int g = lane; g < c.n_groups; g += warp_size) {
    float best = scores[g * size];
    for (int e = 1; e < size; ++e) best = fmaxf(best, scores[g * size + e]);
    group_best[g] = best;
  }
  __syncwarp();
  unsigned taken[8] = {};  // bit per group, as many as group_best holds for this lane
  for (int i = 0; i < c.topk_groups; ++i) {
    BestCandidate best;
    for (int g = lane, j = 0; g < c.n_groups; g += warp_size, ++j)
      if (!(taken[j / 32] >> (j % 32) & 1)) best.take(group_best[g], g);
    const int group = best.warp_best();
    if (group % warp_size == lane) taken[group / warp_size / 32] |= 1u << (group / warp_size % 32);
    for (int e = lane; e < size; e += warp_size) eligible[group * size + e] = 1;
  }
}

__global__ void forward(float* scores, int64_t scores_stride, int32_t* ids, float* weights,
                        int64_t weights_stride, const float* logits, int64_t logits_stride, int64_t N,
                        Choice c) {
  extern __shared__ float shared[];
  const int lane = threadIdx.x % warp_size, warp = threadIdx.x / warp_size;
  const int64_t n = static_cast<int64_t>(blockIdx.x) * tokens_per_block + warp;
  if (n >= N) return;
  float* s = shared + warp * 3 * c.E;
  float* group_best = s + c.E;
  auto* eligible = reinterpret_cast<unsigned char*>(s + 2 * c.E);
  softmax(s, logits + n * logits_stride, c.E, lane);
  __syncwarp();
  mark_eligible_groups(eligible, group_best, s, c, lane);
  __syncwarp();
  float sum = 1e-20f;
  for (int k = 0; k < c.K; ++k) {
    BestCandidate best;
    for (int e = lane; e < c.E; e += warp_size)
      if (eligible[e]) best.take(s[e], e);
    const int expert = best.warp_best();
    sum += s[expert];
    __syncwarp();
    if (lane == 0) {
      eligible[expert] = 0;
      ids[n * c.K + k] = expert;
      weights[n * weights_stride + k] = s[expert];
    }
    __syncwarp();
  }
  for (int k = lane; k < c.K; k += warp_size)
    weights[n * weights_stride + k] *= c.normalize ? 1 / sum : c.scaling;
  for (int e = lane; e < c.E; e += warp_size) scores[n * scores_stride + e] = s[e];
}

// Normalised weights w = s / S: ds = (dw - sum(dw * w)) / S. Softmax: dlogits = s * (ds - sum(ds * s)).
__global__ void backward(float* dlogits, int64_t d_stride, const float* dweights, int64_t w_stride,
                         const float* dscores, int64_t ds_stride, const float* scores, int64_t s_stride,
                         const int32_t* ids, int64_t N, Choice c) {
  extern __shared__ float shared[];
  const int lane = threadIdx.x % warp_size, warp = threadIdx.x / warp_size;
  const int64_t n = static_cast<int64_t>(blockIdx.x) * tokens_per_block + warp;
  if (n >= N) return;
  float* ds = shared + warp * c.E;
  const float* s = scores + n * s_stride;
  for (int e = lane; e < c.E; e += warp_size) ds[e] = dscores ? dscores[n * ds_stride + e] : 0;
  __syncwarp();
  float sum = 0, dot = 0;
  for (int k = lane; k < c.K; k += warp_size) {
    const float score = s[ids[n * c.K + k]];
    sum += score, dot += dweights[n * w_stride + k] * score;
  }
  sum = warp_sum(sum) + 1e-20f, dot = warp_sum(dot);
  for (int k = lane; k < c.K; k += warp_size) {
    const float dw = dweights[n * w_stride + k];
    ds[ids[n * c.K + k]] += c.normalize ? (dw - dot / sum) / sum : dw * c.scaling;
  }
  __syncwarp();
  float mean = 0;
  for (int e = lane; e < c.E; e += warp_size) mean += ds[e] * s[e];
  mean = warp_sum(mean);
  for (int e = lane; e < c.E; e += warp_size) dlogits[n * d_stride + e] = s[e] * (ds[e] - mean);
}

dim3 grid_of(const Tensor& t) {
  return dim3(static_cast<unsigned>(ceil_div(t.rows(), tokens_per_block)));
}

}  // namespace

void router_forward(Device& device, const RouterForward& a) {
  with_dtype<float>("router_forward", a.logits.dtype, [&](float) {
    const Choice c{static_cast<int>(a.logits.cols()),
                   static_cast<int>(a.ids.cols()),
                   a.n_groups,
                   a.topk_groups,
                   a.normalize,
                   static_cast<float>(a.scaling)};
    launch(device, grid_of(a.logits), threads, tokens_per_block * 3 * a.logits.cols() * sizeof(float),
           forward, data<float>(a.scores), a.scores.row_stride, data<int32_t>(a.ids), data<float>(a.weights),
           a.weights.row_stride, data<float>(a.logits), a.logits.row_stride, a.logits.rows(), c);
  });
}

void router_backward(Device& device, const RouterBackward& a) {
  with_dtype<float>("router_backward", a.scores.dtype, [&](float) {
    const Choice c{static_cast<int>(a.scores.cols()), static_cast<int>(a.ids.cols()), 1, 1, a.normalize,
                   static_cast<float>(a.scaling)};
    launch(device, grid_of(a.scores), threads, tokens_per_block * a.scores.cols() * sizeof(float), backward,
           data<float>(a.dlogits), a.dlogits.row_stride, data<float>(a.dweights), a.dweights.row_stride,
           data<float>(a.dscores), a.dscores.row_stride, data<float>(a.scores), a.scores.row_stride,
           data<int32_t>(a.ids), a.scores.rows(), c);
  });
}

}  // namespace fathom::cuda
