#include "ops/sum_squares.h"

namespace fathom::reference {

void sum_squares(Device&, const SumSquares& a) {
  for (const Tensor& t : a.all)
    with_dtype<double, float>("sum_squares", t.dtype, [&]<class T>(T) {
      double sum = 0;
      for (int64_t i = 0; i < t.count(); ++i) {
        const double x = t.as<T>()[i];
        sum += x * x;
      }
      *a.sum.as<double>() += sum;
    });
}

}  // namespace fathom::reference
