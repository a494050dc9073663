// The queries of latent attention, and their splits with tensor cores.
#pragma once
#include "ops/cuda/attention/latent_cache.cuh"
#include "ops/cuda/attention/split_kv.cuh"
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

// The splits of N queries with tensor cores. False, with nothing launched, for sizes or alignments it does
// not support.
bool latent_attention_mma(const Device& device, const LatentQueries<__nv_bfloat16>& queries, int64_t N,
                          const LatentCache<__nv_bfloat16>& cache, const SplitResults& results);

}  // namespace fathom::cuda
