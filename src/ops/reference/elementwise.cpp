#include "ops/elementwise.h"

namespace fathom::reference {

void residual_add(Device&, const ResidualAdd& a) {
  with_dtype<double, float>("residual_add", a.x.dtype, [&]<class T>(T) {
    for (int64_t n = 0; n < a.x.rows(); ++n)
      for (int64_t c = 0; c < a.x.cols(); ++c) a.stream.row<T>(n)[c] += a.x.row<T>(n)[c];
  });
}

void sum(Device&, const Sum& a) {
  with_dtype<double, float>("sum", a.x.dtype, [&]<class T>(T) {
    for (int64_t i = 0; i < a.x.count(); ++i) *a.sum.as<double>() += a.x.as<T>()[i];
  });
}

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

void scale(Device&, const Scale& a) {
  with_dtype<double, float>("scale", a.x.dtype, [&]<class T>(T) {
    for (int64_t i = 0; i < a.x.count(); ++i) a.x.as<T>()[i] *= static_cast<T>(a.factor);
  });
}

}  // namespace fathom::reference
