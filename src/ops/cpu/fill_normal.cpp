// Compiled without contraction to fused multiply-adds (CMakeLists.txt), as base/box_muller.inc asks.
#include "ops/fill_normal.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/cpu/fill_normal.cpp"
#include <hwy/foreach_target.h>
// must come after foreach_target
#include "ops/cpu/simd.h"

#include <algorithm>

HWY_BEFORE_NAMESPACE();
namespace fathom::cpu::HWY_NAMESPACE {
namespace {

#undef FATHOM_BOX_MULLER
#define FATHOM_BOX_MULLER HWY_INLINE
#include "base/box_muller.inc"

struct VectorOps {
  using D = hn::ScalableTag<double>;
  using DU = hn::RebindToUnsigned<D>;
  using V = hn::Vec<D>;
  using U = hn::Vec<DU>;
  static HWY_INLINE V number(double x) { return hn::Set(D(), x); }
  static HWY_INLINE U integer(uint64_t n) { return hn::Set(DU(), n); }
  static HWY_INLINE V real(U n) { return hn::BitCast(D(), n); }
  static HWY_INLINE U bits(V x) { return hn::BitCast(DU(), x); }
  static HWY_INLINE V mul(V a, V b) { return hn::Mul(a, b); }
  static HWY_INLINE V add(V a, V b) { return hn::Add(a, b); }
  static HWY_INLINE V sub(V a, V b) { return hn::Sub(a, b); }
  static HWY_INLINE V div(V a, V b) { return hn::Div(a, b); }
  static HWY_INLINE V sqrt(V a) { return hn::Sqrt(a); }
  static HWY_INLINE U and_(U a, U b) { return hn::And(a, b); }
  static HWY_INLINE U and_not(U not_a, U b) { return hn::AndNot(not_a, b); }
  static HWY_INLINE U or_(U a, U b) { return hn::Or(a, b); }
  static HWY_INLINE U xor_(U a, U b) { return hn::Xor(a, b); }
  static HWY_INLINE U add_integer(U a, U b) { return hn::Add(a, b); }
  static HWY_INLINE U sub_integer(U a, U b) { return hn::Sub(a, b); }
  template <int n>
  static HWY_INLINE U shift_right(U a) {
    return hn::ShiftRight<n>(a);
  }
  template <int n>
  static HWY_INLINE U shift_left(U a) {
    return hn::ShiftLeft<n>(a);
  }
  // Of the low halves.
  static HWY_INLINE U mul32(U a, U b) {
#if HWY_TARGET == HWY_SCALAR
    return hn::Set(DU(), hn::GetLane(a) * hn::GetLane(b));
#else
    const hn::Repartition<uint32_t, DU> d32;
    return hn::MulEven(hn::BitCast(d32, a), hn::BitCast(d32, b));
#endif
  }
};

constexpr int64_t block = 256;  // numbers made at a time, before they are rounded

// values[i] = normal number `counter` + i of the stream, i < block, times std.
void normal_block(const FillNormal& a, uint64_t counter, float* values) {
  const VectorOps::D d;
  const VectorOps::DU du;
  const hn::Rebind<float, VectorOps::D> narrow;
  const auto std = hn::Set(d, a.std);
  const int64_t lanes = hn::Lanes(d);
  for (int64_t i = 0; i < block; i += lanes) {
    const auto words =
        philox_words<VectorOps>(a.seed, hn::Iota(du, counter + static_cast<uint64_t>(i)), a.stream);
    const auto x = box_muller<VectorOps>(words.w0, words.w1);
    hn::StoreU(hn::DemoteTo(narrow, hn::Mul(x, std)), narrow, values + i);
  }
}

template <class T>
void fill_range(const FillNormal& a, int64_t begin, int64_t end) {
  float values[block];
  for (int64_t i = begin; i < end; i += block) {
    normal_block(a, a.first + static_cast<uint64_t>(i), values);
    const int64_t n = std::min(block, end - i);
    for (int64_t j = 0; j < n; ++j) a.out.as<T>()[i + j] = T(values[j]);
  }
}

}  // namespace

void fill_normal(Device& device, const FillNormal& a) {
  with_dtype<double, float, bf16>("fill_normal", a.out.dtype, [&]<class T>(T) {
    parallel_ranges(device.threads(), a.out.count(), 4096,
                    [&](int, int64_t begin, int64_t end) { fill_range<T>(a, begin, end); });
  });
}

}  // namespace fathom::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fathom::cpu {
FATHOM_SIMD_OP(fill_normal, FillNormal)
}  // namespace fathom::cpu
#endif
