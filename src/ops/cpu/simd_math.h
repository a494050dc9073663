// Exponentials, and loops whose last vector is partial, once per Highway target. A loop body is written once:
// for_each_vector passes a tag that says whether all lanes of a vector or only the first ones lie inside the
// row, and load and store act accordingly.
#if defined(FATHOM_OPS_CPU_SIMD_MATH_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef FATHOM_OPS_CPU_SIMD_MATH_H_
#undef FATHOM_OPS_CPU_SIMD_MATH_H_
#else
#define FATHOM_OPS_CPU_SIMD_MATH_H_
#endif

#include "ops/cpu/simd.h"

HWY_BEFORE_NAMESPACE();
namespace fathom::cpu::HWY_NAMESPACE {

struct FullVector {};
struct PartialVector {
  int64_t lanes;
};

template <class T>
Vec load(F32 d, const T* p, FullVector, float = 0) {
  return load(d, p);
}
// Lanes outside the row hold `fill`.
template <class T>
Vec load(F32 d, const T* p, PartialVector part, float fill = 0) {
  HWY_ALIGN float lanes[HWY_MAX_BYTES / sizeof(float)];
  hn::Store(hn::Set(d, fill), d, lanes);
  for (int64_t i = 0; i < part.lanes; ++i) lanes[i] = to_float(p[i]);
  return hn::Load(d, lanes);
}

template <class T>
void store(F32 d, Vec v, T* p, FullVector) {
  store(d, v, p);
}
template <class T>
void store(F32 d, Vec v, T* p, PartialVector part) {
  HWY_ALIGN float lanes[HWY_MAX_BYTES / sizeof(float)];
  hn::Store(v, d, lanes);
  for (int64_t i = 0; i < part.lanes; ++i) p[i] = T(lanes[i]);
}

// body(index of the first lane, FullVector or PartialVector) over 0..n-1. Bodies are lambdas marked HWY_ATTR.
template <class Body>
HWY_INLINE void for_each_vector(int64_t n, const Body& body) {
  const int64_t L = hn::Lanes(F32());
  int64_t i = 0;
  for (; i + L <= n; i += L) body(i, FullVector{});
  if (i < n) body(i, PartialVector{n - i});
}

// e^x for x <= 88, within 1 ulp down to -86.6 and 0 below; NaN stays NaN. With x = n ln 2 + r, e^x = 2^n e^r:
// adding 1.5 * 2^23 rounds n to the low bits of a float, and a polynomial of degree 6 (4e-9) gives e^r. About
// half the instructions of Highway's, which also covers denormals.
inline Vec exp(F32 d, Vec x) {
  const hn::RebindToSigned<F32> d32;
  const Vec magic = hn::Set(d, 12582912.0f);
  const Vec shifted = hn::MulAdd(x, hn::Set(d, 1.44269504f), magic), n = hn::Sub(shifted, magic);
  // ln 2 in two parts, the first of 10 bits: its product with n is exact
  Vec r = hn::NegMulAdd(n, hn::Set(d, 0.693359375f), x);
  r = hn::NegMulAdd(n, hn::Set(d, -2.12194440e-4f), r);
  const Vec r2 = hn::Mul(r, r);
  const Vec low = hn::MulAdd(r, hn::Set(d, 0.166665211f), hn::Set(d, 0.49999994f));
  const Vec high = hn::MulAdd(r, hn::Set(d, 0.00836874545f), hn::Set(d, 0.041668389f));
  const Vec p = hn::MulAdd(r2, hn::MulAdd(r2, hn::Set(d, 0.00138145394f), high), low);
  const Vec y = hn::Add(hn::Set(d, 1.0f), hn::MulAdd(r2, p, r));
  const auto exponent = hn::ShiftLeft<23>(hn::BitCast(d32, shifted));
  const Vec scaled = hn::BitCast(d, hn::Add(hn::BitCast(d32, y), exponent));
  return hn::IfThenZeroElse(hn::Lt(x, hn::Set(d, -86.6f)), scaled);
}

// 1 / (1 + e^-x)
inline Vec sigmoid(F32 d, Vec x) {
  const Vec one = hn::Set(d, 1.0f);
  return hn::Div(one, hn::Add(one, exp(d, hn::Min(hn::Neg(x), hn::Set(d, 88.0f)))));
}

}  // namespace fathom::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
