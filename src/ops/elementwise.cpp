#include "ops/elementwise.h"

namespace fathom {
namespace {

void check_sum(const char* op, const Tensor& sum, const Tensor& x) {
  check(sum && sum.dtype == DType::f64 && sum.count() == 1, "{}: sum must be [1] f64", op);
  check(x || x.count() == 0, "{}: x is missing", op);
  check(x.contiguous(), "{}: x {} must be contiguous", op, x.shape_text());
}

}  // namespace

void residual_add(Device& device, const ResidualAdd& a) {
  Dim N{"N"}, C{"C"};
  expect("residual_add stream", a.stream, {N, C});
  expect("residual_add x", a.x, {N, C}, a.stream.dtype);
  FATHOM_DISPATCH(residual_add, device, a, 2 * moves(a.stream) + moves(a.x), 1.0 * N * C)
}

void sum(Device& device, const Sum& a) {
  check_sum("sum", a.sum, a.x);
  FATHOM_DISPATCH(sum, device, a, moves(a.x), 1.0 * a.x.count())
}

void sum_squares(Device& device, const SumSquares& a) {
  double bytes = 0, count = 0;
  for (const Tensor& x : a.all) {
    check_sum("sum_squares", a.sum, x);
    bytes += moves(x), count += static_cast<double>(x.count());
  }
  FATHOM_DISPATCH(sum_squares, device, a, bytes, 2 * count)
}

void scale(Device& device, const Scale& a) {
  check(a.x || a.x.count() == 0, "scale: x is missing");
  check(a.x.contiguous(), "scale: x {} must be contiguous", a.x.shape_text());
  FATHOM_DISPATCH(scale, device, a, 2 * moves(a.x), 1.0 * a.x.count())
}

}  // namespace fathom
