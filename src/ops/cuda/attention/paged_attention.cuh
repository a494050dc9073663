// Grouped-query attention over a paged cache with tensor cores.
#pragma once
#include "ops/cuda/attention/cached_attention.cuh"

namespace fathom::cuda {

// The splits of N queries. False, with nothing launched, for sizes or alignments it does not support.
bool paged_attention_mma(const Device& device, const CachedQueries<__nv_bfloat16>& queries, int64_t N,
                         const LatentCache<__nv_bfloat16>& cache, const SplitResults& results);

}  // namespace fathom::cuda
