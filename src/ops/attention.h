// Attention to expanded keys and values, for training and prefill: causal, over packed sequences. In MLA a
// head's key is its own no-position part joined with the rotary part that all heads share, k[m,h] =
// [k_nope[m,h] | k_rope[m]]. Without a shared part it is grouped-query attention (Ainslie et al. 2023): G
// heads of keys and values, each read by H / G heads of queries; G = H is multi-head, G = 1 multi-query
// attention. Sequence b has queries q_starts[b]..q_starts[b+1]-1 and keys kv_starts[b]..kv_starts[b+1]-1; the
// last query sees all keys, the one before it all but one, and so on: with equal starts that is plain causal
// attention, with more keys than queries the sequence continues a cached prefix. Without the mask every query
// sees all keys of its sequence, of which there may be any number: a part of a prefix, to be merged with the
// others (ops/attention_merge.h).
#pragma once
#include "ops/dispatch.h"

namespace fathom {

// out[n,h] = sum_m softmax_m(scale * q[n,h] . k[m,g]) v[m,g] with g = h / (H / G)   (paper eq. 17-18)
struct AttentionForward {
  Tensor out;          // [N, H, Dv] any
  Tensor lse = {};     // [N, H] stat: log of the sum of exponentials; may be absent
  Tensor q;            // [N, H, Dn+Dr] any
  Tensor kv;           // [M, G, Dn+Dv] any: k_nope then v, as kv_b_proj gives them; H is a multiple of G
  Tensor k_rope = {};  // [M, Dr] any; a column slice of [M, Rkv+Dr]. Absent: Dr is 0
  Tensor q_starts;     // [B+1] i32
  Tensor kv_starts;    // [B+1] i32; if causal, each sequence has at least as many keys as queries
  double scale = 1;
  bool causal = true;  // false: no mask. A query without keys has out 0 and lse -infinity
};
// Of the causal form.
struct AttentionBackward {
  Tensor dq;            // [N, H, Dn+Dr] any
  Tensor dkv;           // [M, G, Dn+Dv] any: summed over the heads that read them
  Tensor dk_rope = {};  // [M, Dr] any: summed over heads; a column slice. Absent with k_rope
  Tensor dout;          // [N, H, Dv] any
  Tensor out;           // [N, H, Dv] any
  Tensor lse;           // [N, H] stat
  Tensor q;             // [N, H, Dn+Dr] any
  Tensor kv;            // [M, G, Dn+Dv] any
  Tensor k_rope = {};   // [M, Dr] any; a column slice
  Tensor q_starts;      // [B+1] i32
  Tensor kv_starts;     // [B+1] i32
  double scale = 1;
};

// Dr of these arguments.
template <class Args>
int64_t shared_key_columns(const Args& a) {
  return a.k_rope.rank == 0 ? 0 : a.k_rope.cols();
}

FATHOM_OP(attention_forward, AttentionForward)
FATHOM_OP(attention_backward, AttentionBackward)

}  // namespace fathom
