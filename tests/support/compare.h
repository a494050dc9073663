// The one error metric and the one table of tolerances that all tests use.
#pragma once
#include <cmath>

#include "tensor/tensor.h"

namespace fathom::testing {

inline double element(const Tensor& t, int64_t row, int64_t col) {
  switch (t.dtype) {
    case DType::f64:
      return t.row<double>(row)[col];
    case DType::f32:
      return t.row<float>(row)[col];
    case DType::bf16:
      return static_cast<float>(t.row<bf16>(row)[col]);
    case DType::f16:
      return static_cast<float>(t.row<f16>(row)[col]);
    case DType::i32:
      return t.row<int32_t>(row)[col];
  }
  return NAN;
}

// |got - want| / |want| in the Euclidean norm over the whole tensor; 0/0 is 0. NaN anywhere in got gives NaN,
// which passes no comparison.
inline double relative_error(const Tensor& got, const Tensor& want) {
  double difference = 0, norm = 0;
  for (int64_t r = 0; r < want.rows(); ++r)
    for (int64_t c = 0; c < want.cols(); ++c) {
      const double g = element(got, r, c), w = element(want, r, c);
      difference += (g - w) * (g - w), norm += w * w;
    }
  if (difference == 0) return 0;
  return std::sqrt(difference / norm);
}

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
