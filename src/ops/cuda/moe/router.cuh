// The router's choice for one token by a warp; lane l holds experts l, l + 32, ... of its scores.
#pragma once
#include "ops/cuda/kernel.cuh"
#include "ops/router.h"

namespace fathom::cuda {

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

// RouterForward with rows of scores, weights and logits, in elements, their strides apart.
struct RouterChoice {
  float *scores, *weights;
  const float* logits;
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

// eligible[e]: whether expert e is in one of the topk_groups groups with the highest maximum score. A lane
// computes the maxima of its groups.
__device__ inline void mark_eligible_groups(unsigned char* eligible, float* group_best, const float* scores,
                                            const RouterChoice& c, int lane) {
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

// Scores, ids and weights of token n. s: router_scratch(E) floats.
__device__ inline void choose_experts(const RouterChoice& c, float* s, int64_t n) {
  const int lane = threadIdx.x % warp_size;
  float* group_best = s + c.E;
  auto* eligible = reinterpret_cast<unsigned char*>(s + 2 * c.E);
  softmax(s, c.logits + n * c.logits_stride, c.E, lane);
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
