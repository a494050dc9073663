// A warp per token.
#include "ops/cuda/moe/router.cuh"

namespace fathom::cuda {
namespace {

constexpr int threads = 128;
constexpr int tokens_per_block = threads / warp_size;

__global__ void forward(RouterChoice c) {
  wait_for_previous_kernel();
  extern __shared__ float shared[];
  const int warp = threadIdx.x / warp_size;
  const int64_t n = static_cast<int64_t>(blockIdx.x) * tokens_per_block + warp;
  if (n < c.N) choose_experts(c, shared + warp * router_scratch(c.E), n);
}

struct Choice {
  int E, K;
  bool normalize;
  float scaling;
};

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
    launch_chained(device, grid_of(a.logits), threads,
                   tokens_per_block * router_scratch(a.logits.cols()) * sizeof(float), forward,
                   router_choice(a));
  });
}

void router_backward(Device& device, const RouterBackward& a) {
  with_dtype<float>("router_backward", a.scores.dtype, [&](float) {
    const Choice c{static_cast<int>(a.scores.cols()), static_cast<int>(a.ids.cols()), a.normalize,
                   static_cast<float>(a.scaling)};
    launch(device, grid_of(a.scores), threads, tokens_per_block * a.scores.cols() * sizeof(float), backward,
           data<float>(a.dlogits), a.dlogits.row_stride, data<float>(a.dweights), a.dweights.row_stride,
           data<float>(a.dscores), a.dscores.row_stride, data<float>(a.scores), a.scores.row_stride,
           data<int32_t>(a.ids), a.scores.rows(), c);
  });
}

}  // namespace fathom::cuda
