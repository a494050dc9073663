// The one error metric: of `fathom verify` and of all tests.
#pragma once
#include <cmath>

#include "tensor/tensor.h"

namespace fathom {

inline double element(const ConstTensor& t, int64_t row, int64_t col) {
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
// which passes no comparison. Both have as many rows and columns.
inline double relative_error(const ConstTensor& got, const ConstTensor& want) {
  assert(got.rows() == want.rows() && got.cols() == want.cols());
  double difference = 0, norm = 0;
  for (int64_t r = 0; r < want.rows(); ++r)
    for (int64_t c = 0; c < want.cols(); ++c) {
      const double g = element(got, r, c), w = element(want, r, c);
      difference += (g - w) * (g - w), norm += w * w;
    }
  if (difference == 0) return 0;
  return std::sqrt(difference / norm);
}

}  // namespace fathom
