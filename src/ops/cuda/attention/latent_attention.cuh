// Split-KV of latent attention: how a context is split, and the partial result of a split.
#pragma once
#include "ops/cuda/attention/latent_cache.cuh"
#include "ops/cuda/fast_paths.h"
#include "ops/latent_attention.h"

namespace fathom::cuda {

template <class T>
struct LatentQueries {
  const T *latent, *rope;
  int64_t latent_stride, rope_stride;
  const int32_t *sequence, *positions;
  int H, R, Dr;
  float scale;

  // The queries from n on.
  LatentQueries from(int64_t n) const {
    LatentQueries q = *this;
    q.latent += n * H * latent_stride, q.rope += n * H * rope_stride, q.sequence += n, q.positions += n;
    return q;
  }
};

// Splits depend on the length of the context alone, so results depend neither on the batch nor on the GPU.
constexpr int max_splits = 128, min_split_tokens = 32;
__host__ __device__ inline int64_t splits_of(int64_t tokens) {
  const int64_t splits = (tokens + min_split_tokens - 1) / min_split_tokens;
  return splits < max_splits ? splits : max_splits;
}

// Of one head: the largest score, the sum of exp(score - max), and the output before the division by the sum.
struct SplitResult {
  float *max, *sum, *out;
};
struct SplitResults {
  float* memory;
  int splits, H, R;  // splits: of the longest context

  int64_t floats_per_query() const { return int64_t{splits} * H * (R + 2); }
  __device__ SplitResult at(int64_t n, int split, int h) const {
    float* p = memory + ((n * splits + split) * H + h) * (R + 2);
    return {p, p + 1, p + 2};
  }
};

// The splits of N queries with tensor cores. False, with nothing launched, for sizes or alignments it does
// not support.
bool latent_attention_mma(const Device& device, const LatentQueries<__nv_bfloat16>& queries, int64_t N,
                          const LatentCache<__nv_bfloat16>& cache, const SplitResults& results);

}  // namespace fathom::cuda
