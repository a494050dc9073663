#include "ops/adamw.h"

#include <cmath>

namespace fathom::reference {

void adamw(Device&, const AdamW& a) {
  const double correction1 = 1 - std::pow(a.beta1, static_cast<double>(a.step));
  const double correction2 = 1 - std::pow(a.beta2, static_cast<double>(a.step));
  const auto update = [&]<class T>(T, const AdamWTensor& t) {
    T *w = t.w.as<T>(), *m = t.m.as<T>(), *v = t.v.as<T>();
    for (int64_t i = 0; i < t.w.count(); ++i) {
      const double g = t.grad.as<T>()[i] * a.grad_scale;
      m[i] = static_cast<T>(a.beta1 * m[i] + (1 - a.beta1) * g);
      v[i] = static_cast<T>(a.beta2 * v[i] + (1 - a.beta2) * g * g);
      const double direction = m[i] / correction1 / (std::sqrt(v[i] / correction2) + a.eps);
      w[i] = static_cast<T>(w[i] - a.lr * (direction + a.decay_of(t) * w[i]));
    }
  };
  with_dtype<double, float>("adamw", a.tensors[0].w.dtype, [&](auto type) {
    for (const AdamWTensor& t : a.tensors) update(type, t);
  });
}

}  // namespace fathom::reference
