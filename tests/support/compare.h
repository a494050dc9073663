// The one table of tolerances that all op tests use; the metric is relative_error of tensor/compare.h.
#pragma once
#include "tensor/compare.h"

namespace fathom::testing {

// Largest relative error an op may show when it stores its results in this type, against f64 on the same
// inputs.
inline double tolerance(DType type) {
  switch (type) {
    case DType::f64:
      return 1e-12;  // a few hundred roundings of 1.1e-16
    case DType::f32:
      return 2e-6;  // sums of up to a few thousand terms in f32, each rounding 6e-8
    case DType::bf16:
      return 8e-3;  // results rounded to 8 bits (2e-3 each), up to a few roundings in a row
    default:
      return 0;
  }
}

}  // namespace fathom::testing
