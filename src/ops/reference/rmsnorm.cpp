#include "ops/rmsnorm.h"

#include <algorithm>
#include <cmath>

namespace fathom::reference {

void rmsnorm_forward(Device&, const RmsNormForward& a) {
  with_dtype<double, float>("rmsnorm_forward", a.x.dtype, [&]<class T>(T) {
    const int64_t C = a.x.cols();
    for (int64_t n = 0; n < a.x.rows(); ++n) {
      const T *x = a.x.row<T>(n), *w = a.w.as<T>();
      T* out = a.out.row<T>(n);
      T squares = 0;
      for (int64_t c = 0; c < C; ++c) squares += x[c] * x[c];
      const T rstd = 1 / std::sqrt(squares / static_cast<T>(C) + static_cast<T>(a.eps));
      for (int64_t c = 0; c < C; ++c) out[c] = x[c] * rstd * w[c];
      if (a.rstd) a.rstd.as<T>()[n] = rstd;
    }
  });
}

// With y = x * rstd: dx = rstd * (g - y * mean(g * y)), g = dout * w; dw = sum over rows of dout * y.
void rmsnorm_backward(Device&, const RmsNormBackward& a) {
  with_dtype<double, float>("rmsnorm_backward", a.x.dtype, [&]<class T>(T) {
    const int64_t C = a.x.cols();
    T* const dw = a.dw ? a.dw.as<T>() : nullptr;
    if (dw && !a.accumulate_dw) std::fill_n(dw, C, T(0));
    for (int64_t n = 0; n < a.x.rows(); ++n) {
      const T *x = a.x.row<T>(n), *w = a.w.as<T>(), *dout = a.dout.row<T>(n);
      const T* residual = a.residual ? a.residual.row<T>(n) : nullptr;
      T* dx = a.dx.row<T>(n);
      const T rstd = a.rstd.as<T>()[n];
      T mean = 0;
      for (int64_t c = 0; c < C; ++c) mean += dout[c] * w[c] * x[c] * rstd;
      mean /= static_cast<T>(C);
      for (int64_t c = 0; c < C; ++c) {
        const T y = x[c] * rstd, g = dout[c];
        if (dw) dw[c] += g * y;
        dx[c] = (residual ? residual[c] : T(0)) + rstd * (g * w[c] - y * mean);
      }
    }
  });
}

}  // namespace fathom::reference
