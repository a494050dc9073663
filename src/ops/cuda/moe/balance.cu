// Sums over chunks of a sequence's tokens, then over the chunks, then over the sequences, always in the same
// order.
#include "ops/balance.h"

#include "ops/cuda/moe/expert_counts.cuh"
#include "ops/cuda/row_tile.cuh"
#include "ops/cuda/vec.cuh"

namespace fathom::cuda {
namespace {

constexpr int threads = 256;

constexpr int chunks = 64;  // of a sequence

// Of each chunk: how often every expert was chosen and how many tokens were sent to every group, and the sum
// of every expert's scores.
struct ChunkSums {
  int* counts;     // [B, chunks, E + D]
  double* scores;  // [B, chunks, E]
};

struct Sizes {
  int E, K, D, M;
};

// A thread per expert.
__global__ void sum_chunk(ChunkSums sums, const float* scores, int64_t scores_stride, const int32_t* ids,
                          const int32_t* starts, Sizes s) {
  extern __shared__ int counts[];  // [E + D]
  const int b = blockIdx.x, chunk = blockIdx.y;
  const int64_t first = starts[b], end = starts[b + 1], share = (end - first + chunks - 1) / chunks;
  const int64_t from = min(first + chunk * share, end), to = min(from + share, end);
  count_choices(counts, counts + s.E, ids, from * s.K, to * s.K, s.E, s.D, s.K);
  const int64_t at = static_cast<int64_t>(b) * chunks + chunk;
  for (int i = threadIdx.x; i < s.E + s.D; i += blockDim.x) sums.counts[at * (s.E + s.D) + i] = counts[i];
  for (int e = threadIdx.x; e < s.E; e += blockDim.x) {
    double sum = 0;
#pragma unroll 8
    for (int64_t n = from; n < to; ++n) sum += scores[n * scores_stride + e];
    sums.scores[at * s.E + e] = sum;
  }
}

// Column `column` of [chunks, columns], added up.
template <class T>
__device__ T over_chunks(const T* parts, int columns, int column) {
  T sum = 0;
#pragma unroll 8
  for (int chunk = 0; chunk < chunks; ++chunk) sum += parts[chunk * columns + column];
  return sum;
}

// The choices of the whole step, in place of a sequence's own.
struct StepChoices {
  const int32_t *counts, *sent;  // [E], [D]; may be absent
  double tokens;
};

// A block per sequence: its prices, and T times what it adds to the losses [B, 3].
__global__ void sequence_losses(double* losses, float* prices, int64_t prices_stride, ChunkSums sums,
                                const int32_t* starts, StepChoices step, BalanceLevels alpha, Sizes s) {
  extern __shared__ int counts[];  // [E + D]: choices of each expert, tokens sent to each group
  const int b = blockIdx.x, size = s.E / s.D;
  const int64_t own = starts[b + 1] - starts[b];
  const double tokens = step.counts ? step.tokens : static_cast<double>(own), choices = s.K * tokens;
  const int* chunk_counts = sums.counts + static_cast<int64_t>(b) * chunks * (s.E + s.D);
  const double* chunk_scores = sums.scores + static_cast<int64_t>(b) * chunks * s.E;
  for (int i = threadIdx.x; i < s.E + s.D; i += threads)
    counts[i] = !step.counts ? over_chunks(chunk_counts, s.E + s.D, i)
                : i < s.E    ? step.counts[i]
                             : step.sent[i - s.E];
  __syncthreads();
  double expert = 0, device = 0, communication = 0;
  for (int e = threadIdx.x; e < s.E; e += threads) {
    const int d = e / size;
    int of_group = 0;
    for (int i = d * size; i < (d + 1) * size; ++i) of_group += counts[i];
    const double scores = over_chunks(chunk_scores, s.E, e);
    const BalanceLevels price =
        own == 0
            ? BalanceLevels{}
            : BalanceLevels{alpha.expert * s.E / choices * counts[e], alpha.device * s.D / choices * of_group,
                            alpha.communication * s.D / (s.M * tokens) * counts[s.E + d]};
    prices[b * prices_stride + e] = static_cast<float>(price.expert + price.device + price.communication);
    expert += price.expert * scores;
    device += price.device * scores;
    communication += price.communication * scores;
  }
  expert = block_sum(expert), device = block_sum(device), communication = block_sum(communication);
  if (threadIdx.x == 0) {
    double* out = losses + 3 * b;
    out[0] = expert, out[1] = device, out[2] = communication;
  }
}

// A block per level.
__global__ void add_losses(float* out, const double* losses, int B, double tokens) {
  const int level = blockIdx.x;
  double sum = 0;
  for (int b = threadIdx.x; b < B; b += threads) sum += losses[3 * b + level];
  sum = block_sum(sum);
  if (threadIdx.x == 0) out[level] += static_cast<float>(sum / tokens);
}

__global__ void backward(float* dscores, int64_t stride, const float* prices, int64_t prices_stride,
                         const int32_t* starts, int B, int E, float scale) {
  const int64_t n = blockIdx.x;
  const int b = group_of(starts, B, n);
  for (int e = threadIdx.x; e < E; e += blockDim.x)
    dscores[n * stride + e] = scale * prices[b * prices_stride + e];
}

}  // namespace

void balance_loss(Device& device, const BalanceLoss& a) {
  with_dtype<float>("balance_loss", a.scores.dtype, [&](float) {
    const int64_t B = a.prices.rows(), E = a.scores.cols(), D = a.n_groups;
    Workspace sizes;
    sizes.take<double>(3 * B), sizes.take<int>(B * chunks * (E + D)), sizes.take<double>(B * chunks * E);
    Workspace workspace(device.cuda_context().workspace(sizes.bytes()));
    auto* losses = workspace.take<double>(3 * B);
    const ChunkSums sums = {.counts = workspace.take<int>(B * chunks * (E + D)),
                            .scores = workspace.take<double>(B * chunks * E)};
    const Sizes s = {
        .E = static_cast<int>(E), .K = static_cast<int>(a.ids.cols()), .D = a.n_groups, .M = a.topk_groups};
    const StepChoices step = {data<int32_t>(a.counts), data<int32_t>(a.sent), a.tokens};
    const size_t shared = static_cast<size_t>(E + D) * sizeof(int);
    launch(device, dim3(static_cast<unsigned>(B), chunks), threads_for_row(E, 1), shared, sum_chunk, sums,
           data<float>(a.scores), a.scores.row_stride, data<int32_t>(a.ids), data<int32_t>(a.sequence_starts),
           s);
    launch(device, dim3(static_cast<unsigned>(B)), threads, shared, sequence_losses, losses,
           data<float>(a.prices), a.prices.row_stride, sums, data<int32_t>(a.sequence_starts), step, a.alpha,
           s);
    launch(device, dim3(B > 0 ? 3 : 0), threads, 0, add_losses, data<float>(a.losses), losses, B, a.tokens);
  });
}

void balance_loss_backward(Device& device, const BalanceLossBackward& a) {
  with_dtype<float>("balance_loss_backward", a.dscores.dtype, [&](float) {
    launch(device, dim3(static_cast<unsigned>(a.dscores.rows())), 64, 0, backward, data<float>(a.dscores),
           a.dscores.row_stride, data<float>(a.prices), a.prices.row_stride, data<int32_t>(a.sequence_starts),
           a.prices.rows(), a.dscores.cols(), a.weight / a.tokens);
  });
}

}  // namespace fathom::cuda
