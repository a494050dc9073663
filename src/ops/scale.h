// A tensor times a number.
#pragma once
#include "ops/dispatch.h"

namespace fathom {

// x *= factor
struct Scale {
  Tensor x;  // any shape, contiguous, any
  double factor = 1;
};

FATHOM_OP(scale, Scale)

}  // namespace fathom
