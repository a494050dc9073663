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
    case DType::i64:
      return static_cast<double>(t.row<int64_t>(row)[col]);
  }
  return NAN;
}

// |got - want| / |want| in the Euclidean norm, of tensors that may arrive in pieces; 0/0 is 0. NaN anywhere
// in got gives NaN, which passes no comparison.
class RelativeError {
 public:
  // Both have as many rows and columns.
  void add(const ConstTensor& got, const ConstTensor& want) {
    assert(got.rows() == want.rows() && got.cols() == want.cols());
    for (int64_t r = 0; r < want.rows(); ++r)
      for (int64_t c = 0; c < want.cols(); ++c) {
        const double w = element(want, r, c), d = element(got, r, c) - w;
        difference_ += d * d, norm_ += w * w;
      }
  }
  double value() const { return difference_ == 0 ? 0 : std::sqrt(difference_ / norm_); }

 private:
  double difference_ = 0, norm_ = 0;
};

// The same of whole tensors.
inline double relative_error(const ConstTensor& got, const ConstTensor& want) {
  RelativeError error;
  error.add(got, want);
  return error.value();
}

}  // namespace fathom
