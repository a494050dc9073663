#include "ops/adamw.h"

#include <cmath>

namespace fathom::reference {

void adamw(Device&, const AdamW& a) {
  with_dtype<double, float>("adamw", a.w.dtype, [&]<class T>(T) {
    T *w = a.w.as<T>(), *m = a.m.as<T>(), *v = a.v.as<T>();
    const double correction1 = 1 - std::pow(a.beta1, static_cast<double>(a.step));
    const double correction2 = 1 - std::pow(a.beta2, static_cast<double>(a.step));
    for (int64_t i = 0; i < a.w.count(); ++i) {
      const double g = a.grad.as<T>()[i] * a.grad_scale;
      m[i] = static_cast<T>(a.beta1 * m[i] + (1 - a.beta1) * g);
      v[i] = static_cast<T>(a.beta2 * v[i] + (1 - a.beta2) * g * g);
      const double direction = m[i] / correction1 / (std::sqrt(v[i] / correction2) + a.eps);
      w[i] = static_cast<T>(w[i] - a.lr * (direction + a.weight_decay * w[i]));
    }
  });
}

}  // namespace fathom::reference
