// The sum of a tensor in f64, for losses.
#pragma once
#include "ops/dispatch.h"

namespace fathom {

// sum += sum of x over all elements, in f64 and in a fixed order: for losses.
struct Sum {
  Tensor sum;  // [1] f64
  Tensor x;    // any shape, contiguous, stat
};

FATHOM_OP(sum, Sum)

// Of a sum in f64 and the tensor that is added to it.
void check_sum(const char* op, const Tensor& sum, const Tensor& x);

}  // namespace fathom
