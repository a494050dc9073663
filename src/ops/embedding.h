// Rows of a table looked up by token id.
#pragma once
#include "ops/dispatch.h"

namespace fathom {

// out[n] = table[ids[n]]
struct EmbeddingForward {
  Tensor out;    // [N, C] any
  Tensor ids;    // [N] i32, each in 0..V-1 (the caller has checked)
  Weight table;  // [V, C] same type as out
};
// dtable[ids[n]] += dout[n], in the order of n, so the result does not depend on the number of threads.
struct EmbeddingBackward {
  Tensor dtable;           // [V, C] stat; contiguous
  Tensor ids;              // [N] i32
  Tensor dout;             // [N, C] any
  bool accumulate = true;  // false: dtable starts from zero, rows without a token become zero
};

FATHOM_OP(embedding_forward, EmbeddingForward)
FATHOM_OP(embedding_backward, EmbeddingBackward)

}  // namespace fathom
