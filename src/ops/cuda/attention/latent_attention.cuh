// What the kernels of latent attention share: where cached rows lie, how a context is cut into parts, and
// what a part leaves behind for the parts to be joined.
#pragma once
#include "ops/cuda/attention/latent_cache.cuh"
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

// How a context is cut depends on its length alone, so a result depends neither on the batch nor on the GPU.
constexpr int most_parts = 128, least_part = 32;
__host__ __device__ inline int64_t parts_of(int64_t tokens) {
  const int64_t parts = (tokens + least_part - 1) / least_part;
  return parts < most_parts ? parts : most_parts;
}

// What a part knows of a head: sums relative to the largest score; out is not yet divided by the sum.
struct PartResult {
  float *max, *sum, *out;
};
struct PartResults {
  float* memory;
  int parts, H, R;  // parts: of the longest context

  int64_t floats_a_query() const { return int64_t{parts} * H * (R + 2); }
  __device__ PartResult at(int64_t n, int part, int h) const {
    float* p = memory + ((n * parts + part) * H + h) * (R + 2);
    return {p, p + 1, p + 2};
  }
};

// Attends for some queries, in parts. False, with nothing launched, for sizes it is not built for.
bool latent_attention_mma(const Device& device, const LatentQueries<__nv_bfloat16>& queries, int64_t N,
                          const LatentCache<__nv_bfloat16>& cache, const PartResults& results);

}  // namespace fathom::cuda
