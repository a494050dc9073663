#include "ops/elementwise.h"

namespace fathom {

void residual_add(Device& device, const ResidualAdd& a) {
  Dim N{"N"}, C{"C"};
  expect("residual_add stream", a.stream, {N, C});
  expect("residual_add x", a.x, {N, C}, a.stream.dtype);
  FATHOM_DISPATCH(residual_add, device, a)
}

void sum_squares(Device& device, const SumSquares& a) {
  check(a.sum != nullptr, "sum_squares: sum is missing");
  check(a.x || a.x.count() == 0, "sum_squares: x is missing");
  check(a.x.contiguous(), "sum_squares: x {} must be contiguous", a.x.shape_text());
  FATHOM_DISPATCH(sum_squares, device, a)
}

void scale(Device& device, const Scale& a) {
  check(a.x || a.x.count() == 0, "scale: x is missing");
  check(a.x.contiguous(), "scale: x {} must be contiguous", a.x.shape_text());
  FATHOM_DISPATCH(scale, device, a)
}

}  // namespace fathom
