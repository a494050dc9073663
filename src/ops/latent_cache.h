// The paged latent cache of one layer (paper section 2.1.2): pages [P, page, Rkv+Dr], a row [c_kv | k_rope]
// per token; token t of sequence b lies in page block_table[b, t / page] at slot t % page. Entries of
// block_table past a sequence's end are never read, nor are slots past its last token.
#pragma once
#include "ops/dispatch.h"

namespace fathom {

// Stores row n at its sequence's slot positions[n].
struct LatentCacheWrite {
  Tensor pages;        // [P, page, Rkv+Dr] any
  Tensor latent;       // [N, Rkv+Dr] any: normed c_kv, rotated k_rope
  Tensor block_table;  // [B, max_pages] i32
  Tensor sequence;     // [N] i32
  Tensor positions;    // [N] i32
};
// Gathers a part of each sequence: row kv_starts[b] + i of out is token first[b] + i of sequence b. For
// expanded prefill after a prefix.
struct LatentCacheRead {
  Tensor out;          // [M, Rkv+Dr] any
  Tensor pages;        // [P, page, Rkv+Dr] any
  Tensor block_table;  // [B, max_pages] i32
  Tensor first = {};   // [B] i32; absent: 0, whole sequences
  Tensor kv_starts;    // [B+1] i32
};

FATHOM_OP(latent_cache_write, LatentCacheWrite)
FATHOM_OP(latent_cache_read, LatentCacheRead)

// Checks on the host: the pages that hold tokens first .. end - 1 of sequence b exist; query n's sequence and
// position do.
void check_cache_pages(const char* op, const Tensor& block_table, const Tensor& pages, int64_t b,
                       int64_t first, int64_t end);
void check_cache_token(const char* op, const Tensor& block_table, int64_t b, int64_t position, int64_t n);

}  // namespace fathom
