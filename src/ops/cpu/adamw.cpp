#include "ops/adamw.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/cpu/adamw.cpp"
#include <hwy/foreach_target.h>
// must come after foreach_target
#include "ops/cpu/simd_math.h"

#include <cmath>

HWY_BEFORE_NAMESPACE();
namespace fathom::cpu::HWY_NAMESPACE {
namespace {

// The step's constants, computed in f64 and rounded to f32. The bias corrections are folded in:
//   m / (1-beta1^t) / (sqrt(v / (1-beta2^t)) + eps) = step * m / (sqrt(v) * root + eps)
struct Factors {
  float grad_scale, beta1, rest1, beta2, rest2, root, eps, step, decay;
};

Factors factors(const AdamW& a, const AdamWTensor& tensor) {
  const double t = static_cast<double>(a.step);
  return {.grad_scale = static_cast<float>(a.grad_scale),
          .beta1 = static_cast<float>(a.beta1),
          .rest1 = static_cast<float>(1 - a.beta1),
          .beta2 = static_cast<float>(a.beta2),
          .rest2 = static_cast<float>(1 - a.beta2),
          .root = static_cast<float>(1 / std::sqrt(1 - std::pow(a.beta2, t))),
          .eps = static_cast<float>(a.eps),
          .step = static_cast<float>(a.lr / (1 - std::pow(a.beta1, t))),
          .decay = static_cast<float>(a.lr * a.decay_of(tensor))};
}

// `rounded` is the bf16 copy of `w`, or null.
void update(const Factors& k, float* w, bf16* rounded, const float* grad, float* m, float* v, int64_t n) {
  const F32 d;
  const Vec grad_scale = hn::Set(d, k.grad_scale), beta1 = hn::Set(d, k.beta1), rest1 = hn::Set(d, k.rest1),
            beta2 = hn::Set(d, k.beta2), rest2 = hn::Set(d, k.rest2), root = hn::Set(d, k.root),
            eps = hn::Set(d, k.eps), step = hn::Set(d, k.step), decay = hn::Set(d, k.decay);
  for_each_vector(n, [&](int64_t i, auto part) HWY_ATTR {
    const Vec g = hn::Mul(load(d, grad + i, part), grad_scale), old = load(d, w + i, part);
    const Vec m1 = hn::MulAdd(beta1, load(d, m + i, part), hn::Mul(rest1, g));
    const Vec v1 = hn::MulAdd(beta2, load(d, v + i, part), hn::Mul(rest2, hn::Mul(g, g)));
    const Vec direction = hn::Div(hn::Mul(step, m1), hn::MulAdd(hn::Sqrt(v1), root, eps));
    const Vec w1 = hn::Sub(old, hn::MulAdd(decay, old, direction));
    store(d, m1, m + i, part);
    store(d, v1, v + i, part);
    store(d, w1, w + i, part);
    if (rounded) store(d, w1, rounded + i, part);
  });
}

}  // namespace

void adamw(Device& device, const AdamW& a) {
  for (const AdamWTensor& t : a.tensors) {
    with_dtype<float, bf16>("adamw", t.w.dtype, [](auto) {});
    const Factors k = factors(a, t);
    const Tensor& exact = t.master ? t.master : t.w;
    parallel_ranges(device.threads(), t.w.count(), 1024, [&](int, int64_t i, int64_t end) {
      bf16* rounded = t.master ? t.w.as<bf16>() + i : nullptr;
      update(k, exact.as<float>() + i, rounded, t.grad.as<float>() + i, t.m.as<float>() + i,
             t.v.as<float>() + i, end - i);
    });
  }
}

}  // namespace fathom::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fathom::cpu {
FATHOM_SIMD_OP(adamw, AdamW)
}  // namespace fathom::cpu
#endif
