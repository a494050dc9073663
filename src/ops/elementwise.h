// Sums and conversions of whole tensors.
#pragma once
#include <span>

#include "ops/dispatch.h"

namespace fathom {

// stream += x: the residual stream, the one place where activations accumulate.
struct ResidualAdd {
  Tensor stream;  // [N, C] any
  Tensor x;       // [N, C] any
};
// sum += sum of x over all elements, in f64 and in a fixed order: for losses.
struct Sum {
  Tensor sum;  // [1] f64
  Tensor x;    // any shape, contiguous, stat
};
// sum += sum of x^2 over all elements of all tensors, in f64, the same for every number of threads: for the gradient norm.
struct SumSquares {
  Tensor sum;                   // [1] f64
  std::span<const Tensor> all;  // any shapes, contiguous, stat
};
// x *= factor
struct Scale {
  Tensor x;  // any shape, contiguous, stat
  double factor = 1;
};

FATHOM_OP(residual_add, ResidualAdd)
FATHOM_OP(sum, Sum)
FATHOM_OP(sum_squares, SumSquares)
FATHOM_OP(scale, Scale)

}  // namespace fathom
