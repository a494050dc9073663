// Absorbed latent attention over the paged latent cache (latent_cache.h), for decoding: multi-query attention
// whose one key is the cached row [c_kv | k_rope] and whose value is the same row's first Rkv columns (paper
// section 2.1.2).
#pragma once
#include "ops/dispatch.h"

namespace fathom {

// On a GPU block_table, sequence and positions are read before the kernel before this op has ended: they must
// not be its outputs.
//
// out[n,h] = sum_t softmax_t(scale * (q_latent[n,h] . c_kv[t] + q_rope[n,h] . k_rope[t])) c_kv[t], t <=
// positions[n]
struct LatentAttention {
  Tensor out;          // [N, H, Rkv] any
  Tensor q_latent;     // [N, H, Rkv] any
  Tensor q_rope;       // [N, H, Dr] any; a column slice of [N, H, Dn+Dr]
  Tensor pages;        // [P, page, Rkv+Dr] any
  Tensor block_table;  // [B, max_pages] i32
  Tensor sequence;     // [N] i32: the block_table row of each query
  Tensor positions;    // [N] i32: the query's own position; it sees 0..positions[n]
  double scale = 1;
};

FATHOM_OP(latent_attention, LatentAttention)

}  // namespace fathom
