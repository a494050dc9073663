// Absorbed latent attention over the paged latent cache, for decoding: multi-query attention whose one key is
// the cached row [c_kv | k_rope] and whose value is the same row's first Rkv columns (paper section 2.1.2).
//
// The cache of one layer is pages [P, page, Rkv+Dr]; token t of sequence b lies in page block_table[b, t /
// page] at slot t % page. Entries of block_table past a sequence's end are never read, nor are slots past its
// last token.
#pragma once
#include "ops/dispatch.h"

namespace fathom {

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
// Stores row n at its sequence's slot positions[n].
struct LatentWrite {
  Tensor pages;        // [P, page, Rkv+Dr] any
  Tensor latent;       // [N, Rkv+Dr] any: normed c_kv, rotated k_rope
  Tensor block_table;  // [B, max_pages] i32
  Tensor sequence;     // [N] i32
  Tensor positions;    // [N] i32
};
// Gathers whole sequences: row kv_starts[b] + t of out is token t of sequence b. For expanded prefill after a
// prefix.
struct LatentRead {
  Tensor out;          // [M, Rkv+Dr] any
  Tensor pages;        // [P, page, Rkv+Dr] any
  Tensor block_table;  // [B, max_pages] i32
  Tensor kv_starts;    // [B+1] i32
};

FATHOM_OP(latent_attention, LatentAttention)
FATHOM_OP(latent_write, LatentWrite)
FATHOM_OP(latent_read, LatentRead)

}  // namespace fathom
