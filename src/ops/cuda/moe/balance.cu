// Sums over chunks of a sequence's tokens, then over the chunks, then over the sequences, always in the same
// order.
#include "ops/balance.h"

#include "ops/cuda/row_tile.cuh"
#include "ops/cuda/vec.cuh"

namespace fathom::cuda {
namespace {

constexpr int threads = 256;

constexpr int chunks = 64;  // of a sequence

// Of each chunk: how many times every expert was chosen, and the sum of its scores.
struct ChunkSums {
  int* counts;     // [B, chunks, E]
  double* scores;  // [B, chunks, E]
};

// A thread per expert.
__global__ void sum_chunk(ChunkSums sums, const float* scores, int64_t scores_stride, const int32_t* ids,
                          const int32_t* starts, int E, int K) {
  extern __shared__ int counts[];
  const int b = blockIdx.x, chunk = blockIdx.y;
  const int64_t first = starts[b], end = starts[b + 1], share = (end - first + chunks - 1) / chunks;
  const int64_t from = min(first + chunk * share, end), to = min(from + share, end);
  for (int e = threadIdx.x; e < E; e += blockDim.x) counts[e] = 0;
  __syncthreads();
  for (int64_t i = from * K + threadIdx.x; i < to * K; i += blockDim.x) atomicAdd(counts + ids[i], 1);
  __syncthreads();
  for (int e = threadIdx.x; e < E; e += blockDim.x) {
    double sum = 0;
#pragma unroll 8
    for (int64_t n = from; n < to; ++n) sum += scores[n * scores_stride + e];
    const int64_t at = (static_cast<int64_t>(b) * chunks + chunk) * E + e;
    sums.counts[at] = counts[e], sums.scores[at] = sum;
  }
}

// A block per sequence: its load, and its share of the loss. step_counts and step_tokens: see BalanceLoss.
__global__ void sequence_loss(double* losses, float* load, int64_t load_stride, ChunkSums sums,
                              const int32_t* starts, const int32_t* step_counts, double step_tokens, int E,
                              int K) {
  const int b = blockIdx.x;
  const double tokens = step_counts ? step_tokens : static_cast<double>(starts[b + 1] - starts[b]);
  double loss = 0;
  for (int e = threadIdx.x; e < E; e += threads) {
    double count = 0, scores = 0;
#pragma unroll 8
    for (int chunk = 0; chunk < chunks; ++chunk) {
      const int64_t at = (static_cast<int64_t>(b) * chunks + chunk) * E + e;
      count += sums.counts[at], scores += sums.scores[at];
    }
    if (step_counts) count = step_counts[e];
    const double f = tokens > 0 ? count * E / (K * tokens) : 0;
    load[b * load_stride + e] = static_cast<float>(f);
    loss += f * scores;
  }
  loss = block_sum(loss);
  if (threadIdx.x == 0) losses[b] = loss;
}

__global__ void add_losses(float* loss, const double* losses, int B, double scale) {
  double sum = 0;
  for (int b = threadIdx.x; b < B; b += threads) sum += losses[b];
  sum = block_sum(sum);
  if (threadIdx.x == 0) *loss += static_cast<float>(scale * sum);
}

__global__ void backward(float* dscores, int64_t stride, const float* load, int64_t load_stride,
                         const int32_t* starts, int B, int E, float scale) {
  const int64_t n = blockIdx.x;
  const int b = group_of(starts, B, n);
  for (int e = threadIdx.x; e < E; e += blockDim.x)
    dscores[n * stride + e] = scale * load[b * load_stride + e];
}

}  // namespace

void balance_loss(Device& device, const BalanceLoss& a) {
  with_dtype<float>("balance_loss", a.scores.dtype, [&](float) {
    const int64_t B = a.load.rows(), E = a.scores.cols();
    Workspace sizes;
    sizes.take<double>(B), sizes.take<int>(B * chunks * E), sizes.take<double>(B * chunks * E);
    Workspace workspace(device.cuda_context().workspace(sizes.bytes()));
    auto* losses = workspace.take<double>(B);
    const ChunkSums sums = {.counts = workspace.take<int>(B * chunks * E),
                            .scores = workspace.take<double>(B * chunks * E)};
    launch(device, dim3(static_cast<unsigned>(B), chunks), threads_for_row(E, 1),
           static_cast<size_t>(E) * sizeof(int), sum_chunk, sums, data<float>(a.scores), a.scores.row_stride,
           data<int32_t>(a.ids), data<int32_t>(a.sequence_starts), E, a.ids.cols());
    launch(device, dim3(static_cast<unsigned>(B)), threads, 0, sequence_loss, losses, data<float>(a.load),
           a.load.row_stride, sums, data<int32_t>(a.sequence_starts), data<int32_t>(a.counts), a.tokens, E,
           a.ids.cols());
    launch(device, dim3(B > 0 ? 1 : 0), threads, 0, add_losses, data<float>(a.loss), losses, B,
           a.alpha / a.tokens);
  });
}

void balance_loss_backward(Device& device, const BalanceLossBackward& a) {
  with_dtype<float>("balance_loss_backward", a.dscores.dtype, [&](float) {
    launch(device, dim3(static_cast<unsigned>(a.dscores.rows())), 64, 0, backward, data<float>(a.dscores),
           a.dscores.row_stride, data<float>(a.load), a.load.row_stride, data<int32_t>(a.sequence_starts),
           a.load.rows(), a.dscores.cols(), a.alpha / a.tokens);
  });
}

}  // namespace fathom::cuda
