// The sum of squares of many tensors in f64, for the gradient norm.
#pragma once
#include <span>

#include "ops/dispatch.h"

namespace fathom {

// sum += sum of x^2 over all elements of all tensors, in f64, the same for every number of threads: for the
// gradient norm.
struct SumSquares {
  Tensor sum;                   // [1] f64
  std::span<const Tensor> all;  // any shapes, contiguous, stat
};

FATHOM_OP(sum_squares, SumSquares)

}  // namespace fathom
