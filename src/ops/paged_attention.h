// Grouped-query attention over a paged cache of keys and values (laid out as in latent_cache.h), for
// decoding: a cached row is [k_0 | v_0 | k_1 | v_1 | ...], the keys and values of the G heads that H / G
// heads of queries share (Ainslie et al. 2023). What latent_attention.h is to multi-head latent attention.
#pragma once
#include "ops/dispatch.h"

namespace fathom {

// On a GPU block_table, sequence and positions are read before the kernel before this op has ended: they must
// not be its outputs.
//
// out[n,h] = sum_t softmax_t(scale * q[n,h] . k[t,g]) v[t,g], t <= positions[n], g = h / (H / G)
struct PagedAttention {
  Tensor out;          // [N, H, Dv] any
  Tensor q;            // [N, H, Dk] any
  Tensor pages;        // [P, page, G*(Dk+Dv)] any; H is a multiple of G
  Tensor block_table;  // [B, max_pages] i32
  Tensor sequence;     // [N] i32: the block_table row of each query
  Tensor positions;    // [N] i32: the query's own position; it sees 0..positions[n]
  double scale = 1;
};

FATHOM_OP(paged_attention, PagedAttention)

// G of these arguments.
inline int64_t paged_heads(const PagedAttention& a) {
  return a.pages.cols() / (a.q.cols() + a.out.cols());
}

}  // namespace fathom
