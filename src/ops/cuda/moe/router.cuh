// The router's choice for one token by a warp; lane l holds experts l, l + 32, ... of its scores.
#pragma once
#include "ops/cuda/kernel.cuh"
#include "ops/group_score.h"
#include "ops/router.h"

namespace fathom::cuda {

// The best candidate so far, by a number whose bits order as the values do. Of equal values the lower id
// wins; NaN wins over all, so that every lane agrees whatever the values are. key 0: no candidate.
struct BestCandidate {
  unsigned key = 0;
  int id = -1;

  __device__ void take(float value, int candidate) {
    const unsigned bits = __float_as_uint(value);
    const unsigned k = bits >> 31 ? ~bits : bits | 1u << 31;  // arithmetic makes positive NaN only: never 0
    if (k > key) key = k, id = candidate;
  }
  // The best of all lanes; each must have taken its candidates in order of id.
  __device__ int warp_best() const {
    const unsigned best = __reduce_max_sync(~0u, key);
    return static_cast<int>(__reduce_min_sync(~0u, key == best ? static_cast<unsigned>(id) : ~0u));
  }
};

// RouterForward with rows of scores, weights and logits, in elements, their strides apart.
struct RouterChoice {
  float *scores, *weights;
  const float *logits, *bias;
  int32_t* ids;
  int64_t scores_stride, weights_stride, logits_stride, N;
  int E, K, n_groups, topk_groups;
  bool normalize;
  float scaling;
};
inline RouterChoice router_choice(const RouterForward& a) {
  return {.scores = data<float>(a.scores),
          .weights = data<float>(a.weights),
          .logits = data<float>(a.logits),
          .bias = data<float>(a.bias),
          .ids = data<int32_t>(a.ids),
          .scores_stride = a.scores.row_stride,
          .weights_stride = a.weights.row_stride,
          .logits_stride = a.logits.row_stride,
          .N = a.logits.rows(),
          .E = static_cast<int>(a.logits.cols()),
          .K = static_cast<int>(a.ids.cols()),
          .n_groups = a.n_groups,
          .topk_groups = a.topk_groups,
          .normalize = a.normalize,
          .scaling = static_cast<float>(a.scaling)};
}
// What expert e is chosen by.
__device__ inline float choice_value(const RouterChoice& c, const float* scores, int e) {
  return c.bias ? scores[e] + c.bias[e] : scores[e];
}
// Floats of shared memory that a warp needs.
__host__ __device__ constexpr int64_t router_scratch(int64_t E) {
  return 3 * E;
}

__device__ inline void softmax(float* scores, const float* logits, int E, int lane) {
  float max = -INFINITY, sum = 0;
  for (int e = lane; e < E; e += warp_size) max = fmaxf(max, logits[e]);
  max = warp_max(max);
  for (int e = lane; e < E; e += warp_size) sum += scores[e] = expf(logits[e] - max);
  sum = warp_sum(sum);
  for (int e = lane; e < E; e += warp_size) scores[e] /= sum;
}

// eligible[e]: whether expert e is in one of the topk_groups groups with the highest scores. A lane computes
// those of its groups.
__device__ inline void mark_eligible_groups(unsigned char* eligible, float* group_scores, const float* scores,
                                            const RouterChoice& c, int lane) {
  const int size = c.E / c.n_groups;
  for (int e = lane; e < c.E; e += warp_size) eligible[e] = c.n_groups == c.topk_groups;
  if (c.n_groups == c.topk_groups) return;
  for (int g = lane; g < c.n_groups; g += warp_size) {
    GroupScore<float> group;
    for (int e = g * size; e < (g + 1) * size; ++e) group.add(choice_value(c, scores, e));
    group_scores[g] = group.value(c.bias != nullptr);
  }
  __syncwarp();
  unsigned taken[8] = {};  // bit per group, as many as group_scores holds for this lane
  for (int i = 0; i < c.topk_groups; ++i) {
    BestCandidate best;
    for (int g = lane, j = 0; g < c.n_groups; g += warp_size, ++j)
      if (!(taken[j / 32] >> (j % 32) & 1)) best.take(group_scores[g], g);
    const int group = best.warp_best();
    if (group % warp_size == lane) taken[group / warp_size / 32] |= 1u << (group / warp_size % 32);
    for (int e = lane; e < size; e += warp_size) eligible[group * size + e] = 1;
  }
}

// Scores, ids and weights of token n. s: router_scratch(E) floats.
__device__ inline void choose_experts(const RouterChoice& c, float* s, int64_t n) {
  const int lane = threadIdx.x % warp_size;
  float* group_scores = s + c.E;
  auto* eligible = reinterpret_cast<unsigned char*>(s + 2 * c.E);
  softmax(s, c.logits + n * c.logits_stride, c.E, lane);
  __syncwarp();
  mark_eligible_groups(eligible, group_scores, s, c, lane);
  __syncwarp();
  float sum = 1e-20f;
  for (int k = 0; k < c.K; ++k) {
    BestCandidate best;
    for (int e = lane; e < c.E; e += warp_size)
      if (eligible[e]) best.take(choice_value(c, s, e), e);
    const int expert = best.warp_best();
    sum += s[expert];
    __syncwarp();
    if (lane == 0) {
      eligible[expert] = 0;
      c.ids[n * c.K + k] = expert;
      c.weights[n * c.weights_stride + k] = s[expert];
    }
    __syncwarp();
  }
  for (int k = lane; k < c.K; k += warp_size)
    c.weights[n * c.weights_stride + k] *= c.normalize ? 1 / sum : c.scaling;
  for (int e = lane; e < c.E; e += warp_size) c.scores[n * c.scores_stride + e] = s[e];
}

}  // namespace fathom::cuda
