// A warp a token; lane l holds experts l, l + 32, ... of its scores.
#include "ops/router.h"

#include "ops/cuda/kernel.cuh"

namespace fathom::cuda {
namespace {

constexpr int threads = 128;
constexpr int tokens_per_block = threads / warp_size;

// A value and whose it is; the larger value is better, of equal ones the lower id. NaN equals all: one makes
// all scores NaN, and then too every lane of a warp must come to the same answer.
struct Best {
  float value;
  int id;
};
__device__ bool better(const Best& a, const Best& b) {
  return a.id >= 0 && (b.id < 0 || a.value > b.value || (!(b.value > a.value) && a.id < b.id));
}
__device__ Best warp_best(Best best) {
  for (int offset = warp_size / 2; offset > 0; offset /= 2) {
    const Best other{__shfl_xor_sync(~0u, best.value, offset), __shfl_xor_sync(~0u, best.id, offset)};
    if (better(other, best)) best = other;
  }
  return best;
}

struct Choice {
  int E, K, n_groups, topk_groups;
  bool normalize;
  float scaling;
};

__device__ void softmax(float* scores, const float* logits, int E, int lane) {
  float max = -INFINITY, sum = 0;
  for (int e = lane; e < E; e += warp_size) max = fmaxf(max, logits[e]);
  max = warp_max(max);
  for (int e = lane; e < E; e += warp_size) sum += expf(logits[e] - max);
  sum = warp_sum(sum);
  for (int e = lane; e < E; e += warp_size) scores[e] = expf(logits[e] - max) / sum;
}

// open[e]: whether expert e may be chosen, those of the groups with the highest maximum. A group's maximum is
// its own lane's work.
__device__ void open_groups(unsigned char* open, float* group_best, const float* scores, const Choice& c,
                            int lane) {
  const int size = c.E / c.n_groups;
  for (int e = lane; e < c.E; e += warp_size) open[e] = c.n_groups == c.topk_groups;
  if (c.n_groups == c.topk_groups) return;
  for (int g = lane; g < c.n_groups; g += warp_size) {
    float best = scores[g * size];
    for (int e = 1; e < size; ++e) best = fmaxf(best, scores[g * size + e]);
    group_best[g] = best;
  }
  __syncwarp();
  unsigned taken[8] = {};  // bit per group, as many as group_best holds for this lane
  for (int i = 0; i < c.topk_groups; ++i) {
    Best best{0, -1};
    for (int g = lane, j = 0; g < c.n_groups; g += warp_size, ++j)
      if (const Best mine{group_best[g], g}; !(taken[j / 32] >> (j % 32) & 1) && better(mine, best))
        best = mine;
    best = warp_best(best);
    if (best.id % warp_size == lane) taken[best.id / warp_size / 32] |= 1u << (best.id / warp_size % 32);
    for (int e = lane; e < size; e += warp_size) open[best.id * size + e] = 1;
  }
}

__global__ void choose(float* scores, int64_t scores_stride, int32_t* ids, float* weights,
                       int64_t weights_stride, const float* logits, int64_t logits_stride, int64_t N,
                       Choice c) {
  extern __shared__ float shared[];
  const int lane = threadIdx.x % warp_size, warp = threadIdx.x / warp_size;
  const int64_t n = static_cast<int64_t>(blockIdx.x) * tokens_per_block + warp;
  if (n >= N) return;
  float* s = shared + warp * 3 * c.E;
  float* group_best = s + c.E;
  auto* open = reinterpret_cast<unsigned char*>(s + 2 * c.E);
  softmax(s, logits + n * logits_stride, c.E, lane);
  __syncwarp();
  open_groups(open, group_best, s, c, lane);
  __syncwarp();
  float sum = 1e-20f;
  for (int k = 0; k < c.K; ++k) {
    Best best{0, -1};
    for (int e = lane; e < c.E; e += warp_size)
      if (const Best mine{s[e], e}; open[e] && better(mine, best)) best = mine;
    best = warp_best(best);
    sum += best.value;
    __syncwarp();
    if (lane == 0) {
      open[best.id] = 0;
      ids[n * c.K + k] = best.id;
      weights[n * weights_stride + k] = best.value;
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
  return dim3(static_cast<unsigned>(blocks_for(t.rows(), tokens_per_block)));
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
    launch(device, grid_of(a.logits), threads, tokens_per_block * 3 * a.logits.cols() * sizeof(float), choose,
           data<float>(a.scores), a.scores.row_stride, data<int32_t>(a.ids), data<float>(a.weights),
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
