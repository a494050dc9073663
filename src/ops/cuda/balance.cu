// Per sequence: how often each expert was chosen (integer counts, so order does not matter), then the loss in
// two steps of fixed order.
#include "ops/balance.h"

#include "ops/cuda/grouped_tile.cuh"

namespace fathom::cuda {
namespace {

constexpr int threads = 256;

// A block a sequence: counts in shared memory, load, and the sequence's share of the loss.
__global__ void sequence_loss(double* losses, float* load, int64_t load_stride, const float* scores,
                              int64_t scores_stride, const int32_t* ids, const int32_t* starts, int E,
                              int K) {
  extern __shared__ int counts[];
  const int b = blockIdx.x;
  const int64_t begin = starts[b], end = starts[b + 1];
  for (int e = threadIdx.x; e < E; e += threads) counts[e] = 0;
  __syncthreads();
  for (int64_t i = begin * K + threadIdx.x; i < end * K; i += threads) atomicAdd(counts + ids[i], 1);
  __syncthreads();
  const double tokens = static_cast<double>(end - begin);
  double sum = 0;
  for (int e = threadIdx.x; e < E; e += threads)
    load[b * load_stride + e] =
        end > begin ? static_cast<float>(static_cast<double>(counts[e]) * E / (K * tokens)) : 0;
  for (int64_t i = begin * E + threadIdx.x; i < end * E; i += threads)
    sum += static_cast<double>(counts[i % E]) * scores[i / E * scores_stride + i % E];
  sum = block_sum(sum);
  if (threadIdx.x == 0) losses[b] = end > begin ? sum * E / (K * tokens) / tokens : 0;
}

__global__ void add_losses(float* loss, const double* losses, int B, double alpha) {
  double sum = 0;
  for (int b = threadIdx.x; b < B; b += threads) sum += losses[b];
  sum = block_sum(sum);
  if (threadIdx.x == 0) *loss += static_cast<float>(alpha * sum / B);
}

__global__ void backward(float* dscores, int64_t stride, const float* load, int64_t load_stride,
                         const int32_t* starts, int B, int E, float alpha) {
  const int64_t n = blockIdx.x;
  const int b = group_of(starts, B, n);
  const float scale = alpha / (static_cast<float>(starts[b + 1] - starts[b]) * static_cast<float>(B));
  for (int e = threadIdx.x; e < E; e += blockDim.x)
    dscores[n * stride + e] = scale * load[b * load_stride + e];
}

}  // namespace

void balance_loss(Device& device, const BalanceLoss& a) {
  with_dtype<float>("balance_loss", a.scores.dtype, [&](float) {
    const int64_t B = a.load.rows(), E = a.scores.cols();
    auto* losses =
        static_cast<double*>(device.cuda_context().workspace(static_cast<size_t>(B) * sizeof(double)));
    launch(device, dim3(static_cast<unsigned>(B)), threads, static_cast<size_t>(E) * sizeof(int),
           sequence_loss, losses, data<float>(a.load), a.load.row_stride, data<float>(a.scores),
           a.scores.row_stride, data<int32_t>(a.ids), data<int32_t>(a.sequence_starts), E, a.ids.cols());
    launch(device, dim3(B > 0 ? 1 : 0), threads, 0, add_losses, data<float>(a.loss), losses, B, a.alpha);
  });
}

void balance_loss_backward(Device& device, const BalanceLossBackward& a) {
  with_dtype<float>("balance_loss_backward", a.dscores.dtype, [&](float) {
    launch(device, dim3(static_cast<unsigned>(a.dscores.rows())), 64, 0, backward, data<float>(a.dscores),
           a.dscores.row_stride, data<float>(a.load), a.load.row_stride, data<int32_t>(a.sequence_starts),
           a.load.rows(), a.dscores.cols(), a.alpha);
  });
}

}  // namespace fathom::cuda
