// A thread for each token.
#include "ops/router_replay.h"

#include "ops/cuda/kernel.cuh"

namespace fathom::cuda {
namespace {

constexpr int threads = 128;

struct Pointers {
  int32_t* ids;  // [N, K]
  float* weights;
  int64_t weights_stride;
  const float* scores;
  int64_t scores_stride;
  const int32_t *given, *rows;
};

__global__ void replay(Pointers p, int64_t N, int K, bool normalize, float scaling) {
  const int64_t n = static_cast<int64_t>(blockIdx.x) * threads + threadIdx.x;
  if (n >= N || p.rows[n] < 0) return;
  const int32_t* given = p.given + static_cast<int64_t>(p.rows[n]) * K;
  const float* scores = p.scores + n * p.scores_stride;
  float* weights = p.weights + n * p.weights_stride;
  float sum = 1e-20f;
  for (int k = 0; k < K; ++k) sum += scores[given[k]];
  for (int k = 0; k < K; ++k) {
    p.ids[n * K + k] = given[k];
    weights[k] = scores[given[k]] * (normalize ? 1 / sum : scaling);
  }
}

}  // namespace

void router_replay(Device& device, const RouterReplay& a) {
  with_dtype<float>("router_replay", a.scores.dtype, [&](float) {
    const int64_t N = a.ids.rows(), K = a.ids.cols();
    launch(device, dim3(static_cast<unsigned>(ceil_div(N, threads))), threads, 0, replay,
           Pointers{.ids = data<int32_t>(a.ids),
                    .weights = data<float>(a.weights),
                    .weights_stride = a.weights.row_stride,
                    .scores = data<float>(a.scores),
                    .scores_stride = a.scores.row_stride,
                    .given = data<int32_t>(a.given),
                    .rows = data<int32_t>(a.rows)},
           N, static_cast<int>(K), a.normalize && K > 1, static_cast<float>(a.scaling));
  });
}

}  // namespace fathom::cuda
