#include "ops/sum_squares.h"

#include "ops/sum.h"

namespace fathom {

void sum_squares(Device& device, const SumSquares& a) {
  double bytes = 0, count = 0;
  for (const Tensor& x : a.all) {
    check_sum("sum_squares", a.sum, x);
    bytes += moves(x), count += static_cast<double>(x.count());
  }
  FATHOM_DISPATCH(sum_squares, device, a, bytes, 2 * count)
}

}  // namespace fathom
