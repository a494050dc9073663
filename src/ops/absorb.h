// Weight absorption of MLA decoding (paper section 2.1.2, appendix C): W_UK maps queries into the latent
// space and W_UV maps attended latents out of it, so keys and values are never expanded. Both matrices are
// the rows of kv_b_proj, read in place: per head Dn rows of W_UK, then Dv rows of W_UV.
#pragma once
#include "ops/dispatch.h"

namespace fathom {

// q_latent[n,h] = W_UK[h]^T q_nope[n,h]
struct AbsorbQuery {
  Tensor q_latent;  // [N, H, Rkv] any
  Tensor q_nope;    // [N, H, Dn] any; a column slice of [N, H, Dn+Dr]
  Tensor kv_b;      // [H, Dn+Dv, Rkv] same type
};
// out[n,h] (=|+=) W_UV[h] ctx[n,h]
struct AbsorbOutput {
  Tensor out;   // [N, H, Dv] any
  Tensor ctx;   // [N, H, Rkv] any
  Tensor kv_b;  // [H, Dn+Dv, Rkv] same type
  bool accumulate = false;
};

FATHOM_OP(absorb_query, AbsorbQuery)
FATHOM_OP(absorb_output, AbsorbOutput)

}  // namespace fathom
