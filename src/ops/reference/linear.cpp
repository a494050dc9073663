#include "ops/linear.h"

#include <algorithm>

namespace fathom::reference {

void linear_forward(Device&, const LinearForward& a) {
  with_dtype<double, float>("linear_forward", a.x.dtype, [&]<class T>(T) {
    for (int64_t n = 0; n < a.x.rows(); ++n)
      for (int64_t o = 0; o < a.w.data.rows(); ++o) {
        const T *x = a.x.row<T>(n), *w = a.w.data.row<T>(o);
        T sum = a.bias ? a.bias.as<T>()[o] : T(0);
        for (int64_t i = 0; i < a.x.cols(); ++i) sum += x[i] * w[i];
        T& out = a.out.row<T>(n)[o];
        out = a.accumulate ? out + sum : sum;
      }
  });
}

void linear_backward_input(Device&, const LinearBackwardInput& a) {
  with_dtype<double, float>("linear_backward_input", a.dx.dtype, [&]<class T>(T) {
    for (int64_t n = 0; n < a.dx.rows(); ++n) {
      T* dx = a.dx.row<T>(n);
      if (!a.accumulate) std::fill_n(dx, a.dx.cols(), T(0));
      for (int64_t o = 0; o < a.w.data.rows(); ++o) {
        const T dout = a.dout.row<T>(n)[o], *w = a.w.data.row<T>(o);
        for (int64_t i = 0; i < a.dx.cols(); ++i) dx[i] += dout * w[i];
      }
    }
  });
}

void linear_backward_weight(Device&, const LinearBackwardWeight& a) {
  with_dtype<double, float>("linear_backward_weight", a.x.dtype, [&]<class T>(T) {
    for (int64_t o = 0; !a.accumulate && o < a.dw.rows(); ++o) {
      std::fill_n(a.dw.row<T>(o), a.dw.cols(), T(0));
      if (a.dbias) a.dbias.as<T>()[o] = 0;
    }
    for (int64_t n = 0; n < a.x.rows(); ++n)
      for (int64_t o = 0; o < a.dout.cols(); ++o) {
        const T dout = a.dout.row<T>(n)[o], *x = a.x.row<T>(n);
        T* dw = a.dw.row<T>(o);
        for (int64_t i = 0; i < a.x.cols(); ++i) dw[i] += dout * x[i];
        if (a.dbias) a.dbias.as<T>()[o] += dout;
      }
  });
}

}  // namespace fathom::reference
