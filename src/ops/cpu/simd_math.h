// Exponentials, and loops whose last vector is partial, once per Highway target. A loop body is written once:
// each_vector calls it with a tag that says whether a whole vector or only its first lanes lie inside the
// row, and load and store do as the tag says.
#if defined(FATHOM_OPS_CPU_SIMD_MATH_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef FATHOM_OPS_CPU_SIMD_MATH_H_
#undef FATHOM_OPS_CPU_SIMD_MATH_H_
#else
#define FATHOM_OPS_CPU_SIMD_MATH_H_
#endif

#include <hwy/contrib/math/math-inl.h>

#include "ops/cpu/simd.h"

HWY_BEFORE_NAMESPACE();
namespace fathom::cpu::HWY_NAMESPACE {

struct Whole {};
struct Part {
  int64_t lanes;
};

template <class T>
Vec load(F32 d, const T* p, Whole, float = 0) {
  return load(d, p);
}
// Lanes past the part hold `fill`.
template <class T>
Vec load(F32 d, const T* p, Part part, float fill = 0) {
  HWY_ALIGN float lanes[HWY_MAX_BYTES / sizeof(float)];
  hn::Store(hn::Set(d, fill), d, lanes);
  for (int64_t i = 0; i < part.lanes; ++i) lanes[i] = to_float(p[i]);
  return hn::Load(d, lanes);
}

template <class T>
void store(F32 d, Vec v, T* p, Whole) {
  store(d, v, p);
}
template <class T>
void store(F32 d, Vec v, T* p, Part part) {
  HWY_ALIGN float lanes[HWY_MAX_BYTES / sizeof(float)];
  hn::Store(v, d, lanes);
  for (int64_t i = 0; i < part.lanes; ++i) p[i] = T(lanes[i]);
}

// body(index of the first lane, Whole or Part) over 0..n-1. Bodies are lambdas marked HWY_ATTR.
template <class Body>
HWY_INLINE void each_vector(int64_t n, const Body& body) {
  const int64_t L = hn::Lanes(F32());
  int64_t i = 0;
  for (; i + L <= n; i += L) body(i, Whole{});
  if (i < n) body(i, Part{n - i});
}

// e^x for x <= 88, within 1 ulp; NaN stays NaN, unlike in Highway's own.
inline Vec exp(F32 d, Vec x) {
  return hn::IfThenElse(hn::IsNaN(x), x, hn::Exp(d, x));
}

// 1 / (1 + e^-x)
inline Vec sigmoid(F32 d, Vec x) {
  const Vec one = hn::Set(d, 1.0f);
  return hn::Div(one, hn::Add(one, exp(d, hn::Min(hn::Neg(x), hn::Set(d, 88.0f)))));
}

}  // namespace fathom::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
