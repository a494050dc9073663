// Latent attention of the wide latent with tensor cores, on GPUs or for pages that the Hopper kernels do not
// take.
#pragma once
#include "ops/cuda/attention/cached_attention.cuh"
#include "ops/latent_attention.h"

namespace fathom::cuda {

// Whether latent_attention_mma takes these sizes and alignments.
bool latent_attention_mma_supports(const CachedQueries<__nv_bfloat16>& q,
                                   const LatentCache<__nv_bfloat16>& cache);
// The splits of N queries.
void latent_attention_mma(const Device& device, const CachedQueries<__nv_bfloat16>& q, int64_t N,
                          const LatentCache<__nv_bfloat16>& cache, const SplitResults& results);

}  // namespace fathom::cuda
