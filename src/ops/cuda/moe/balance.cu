// Sums over bands of a sequence's tokens, then over the bands, then over the sequences, always in the same
// order.
#include "ops/balance.h"

#include "ops/cuda/grouped_tile.cuh"
#include "ops/cuda/vec.cuh"

namespace fathom::cuda {
namespace {

constexpr int threads = 256;

constexpr int bands = 64;  // of a sequence

// Of a band's tokens: how often each expert was chosen, and the sum of its scores.
struct BandSums {
  int* counts;     // [B, bands, E]
  double* scores;  // [B, bands, E]
};

// A thread an expert.
__global__ void sum_band(BandSums sums, const float* scores, int64_t scores_stride, const int32_t* ids,
                         const int32_t* starts, int E, int K) {
  extern __shared__ int counts[];
  const int b = blockIdx.x, band = blockIdx.y;
  const int64_t first = starts[b], end = starts[b + 1], share = (end - first + bands - 1) / bands;
  const int64_t from = min(first + band * share, end), to = min(from + share, end);
  for (int e = threadIdx.x; e < E; e += blockDim.x) counts[e] = 0;
  __syncthreads();
  for (int64_t i = from * K + threadIdx.x; i < to * K; i += blockDim.x) atomicAdd(counts + ids[i], 1);
  __syncthreads();
  for (int e = threadIdx.x; e < E; e += blockDim.x) {
    double sum = 0;
#pragma unroll 8
    for (int64_t n = from; n < to; ++n) sum += scores[n * scores_stride + e];
    const int64_t at = (static_cast<int64_t>(b) * bands + band) * E + e;
    sums.counts[at] = counts[e], sums.scores[at] = sum;
  }
}

// A block a sequence: its load, and its share of the loss.
__global__ void sequence_loss(double* losses, float* load, int64_t load_stride, BandSums sums,
                              const int32_t* starts, int E, int K) {
  const int b = blockIdx.x;
  const double tokens = static_cast<double>(starts[b + 1] - starts[b]);
  double loss = 0;
  for (int e = threadIdx.x; e < E; e += threads) {
    double count = 0, scores = 0;
#pragma unroll 8
    for (int band = 0; band < bands; ++band) {
      const int64_t at = (static_cast<int64_t>(b) * bands + band) * E + e;
      count += sums.counts[at], scores += sums.scores[at];
    }
    const double f = tokens > 0 ? count * E / (K * tokens) : 0;
    load[b * load_stride + e] = static_cast<float>(f);
    loss += tokens > 0 ? f * scores / tokens : 0;
  }
  loss = block_sum(loss);
  if (threadIdx.x == 0) losses[b] = loss;
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
    Pieces sizes;
    sizes.take<double>(B), sizes.take<int>(B * bands * E), sizes.take<double>(B * bands * E);
    Pieces pieces(device.cuda_context().workspace(sizes.bytes()));
    auto* losses = pieces.take<double>(B);
    const BandSums sums = {.counts = pieces.take<int>(B * bands * E),
                           .scores = pieces.take<double>(B * bands * E)};
    launch(device, dim3(static_cast<unsigned>(B), bands), threads_of_row(E, 1),
           static_cast<size_t>(E) * sizeof(int), sum_band, sums, data<float>(a.scores), a.scores.row_stride,
           data<int32_t>(a.ids), data<int32_t>(a.sequence_starts), E, a.ids.cols());
    launch(device, dim3(static_cast<unsigned>(B)), threads, 0, sequence_loss, losses, data<float>(a.load),
           a.load.row_stride, sums, data<int32_t>(a.sequence_starts), E, a.ids.cols());
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
