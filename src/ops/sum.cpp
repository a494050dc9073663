#include "ops/sum.h"

namespace fathom {

void check_sum(const char* op, const Tensor& sum, const Tensor& x) {
  check(sum && sum.dtype == DType::f64 && sum.count() == 1, "{}: sum must be [1] f64", op);
  check(x || x.count() == 0, "{}: x is missing", op);
  check(x.contiguous(), "{}: x {} must be contiguous", op, x.shape_text());
}

void sum(Device& device, const Sum& a) {
  check_sum("sum", a.sum, a.x);
  FATHOM_DISPATCH(sum, device, a, moves(a.x), 1.0 * a.x.count())
}

}  // namespace fathom
