// The paged latent cache of one layer (paper section 2.1.2): pages [P, page, Rkv+Dr], a row [c_kv | k_rope]
// per token (with grouped-query attention another row, paged_attention.h); token t of sequence b lies in page
// block_table[b, t / page] at slot t % page. Entries of block_table past a sequence's end are never read, nor
// are slots past its last token.
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

// Of the ops that attend to a cache: both checks for every query, where the host can look.
template <class Args>
void check_cached_queries(const char* op, const Device& device, const Args& a) {
  for (int64_t n = 0; device.on_host() && n < a.positions.cols(); ++n) {
    const int64_t b = a.sequence.template as<int32_t>()[n], position = a.positions.template as<int32_t>()[n];
    check_cache_token(op, a.block_table, b, position, n);
    check_cache_pages(op, a.block_table, a.pages, b, 0, position + 1);
  }
}
// Cached rows that all queries see together; on a GPU, where the host cannot look, as many as the tables have
// room for.
template <class Args>
double cached_keys(const Device& device, const Args& a) {
  const int64_t N = a.positions.cols();
  if (!device.on_host()) return static_cast<double>(N * a.block_table.cols() * a.pages.shape[1]);
  double sum = 0;
  for (int64_t n = 0; n < N; ++n) sum += a.positions.template as<int32_t>()[n] + 1;
  return sum;
}

}  // namespace fathom
