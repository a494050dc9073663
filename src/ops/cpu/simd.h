// Shared by all vectorized kernels, once per Highway target: loads and stores that convert between f32
// lanes and the storage type. Included in every pass of foreach_target; see ops/cpu/rmsnorm.cpp for the
// pattern of a kernel file.
#if defined(FATHOM_OPS_CPU_SIMD_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef FATHOM_OPS_CPU_SIMD_H_
#undef FATHOM_OPS_CPU_SIMD_H_
#else
#define FATHOM_OPS_CPU_SIMD_H_
#endif

#include <hwy/highway.h>

#include "base/float16.h"
#include "ops/cpu/level.h"

HWY_BEFORE_NAMESPACE();
namespace fathom::cpu::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
using F32 = hn::ScalableTag<float>;
using Vec = hn::Vec<F32>;

inline Vec load([[maybe_unused]] F32 d, const float* p) {
  return hn::LoadU(d, p);
}

inline Vec load([[maybe_unused]] F32 d, const bf16* p) {
  const hn::Rebind<uint16_t, F32> d16;
  const hn::RebindToUnsigned<F32> d32;
  const auto wide = hn::PromoteTo(d32, hn::LoadU(d16, reinterpret_cast<const uint16_t*>(p)));
  return hn::BitCast(d, hn::ShiftLeft<16>(wide));
}

inline void store([[maybe_unused]] F32 d, Vec v, float* p) {
  hn::StoreU(v, d, p);
}

// Rounds to nearest, ties to even; NaN stays NaN (its quiet bit is set).
inline void store([[maybe_unused]] F32 d, Vec v, bf16* p) {
  const hn::Rebind<uint16_t, F32> d16;
  const hn::RebindToUnsigned<F32> d32;
  const auto u = hn::BitCast(d32, v);
  const auto odd = hn::And(hn::ShiftRight<16>(u), hn::Set(d32, 1));
  const auto rounded = hn::ShiftRight<16>(hn::Add(u, hn::Add(odd, hn::Set(d32, 0x7fff))));
  const auto quiet = hn::Or(hn::ShiftRight<16>(u), hn::Set(d32, 0x40));
  const auto bits = hn::IfThenElse(hn::RebindMask(d32, hn::IsNaN(v)), quiet, rounded);
  hn::StoreU(hn::TruncateTo(d16, bits), d16, reinterpret_cast<uint16_t*>(p));
}

// The value a store and reload would give: for code that must round where the storage type rounds.
inline Vec round_to(F32, Vec v, float) {
  return v;
}
inline Vec round_to([[maybe_unused]] F32 d, Vec v, bf16) {
  const hn::RebindToUnsigned<F32> d32;
  const auto u = hn::BitCast(d32, v);
  const auto odd = hn::And(hn::ShiftRight<16>(u), hn::Set(d32, 1));
  const auto rounded = hn::Add(u, hn::Add(odd, hn::Set(d32, 0x7fff)));
  return hn::IfThenElse(hn::IsNaN(v), v, hn::BitCast(d, hn::And(rounded, hn::Set(d32, 0xffff0000u))));
}

inline float to_float(float x) {
  return x;
}
inline float to_float(bf16 x) {
  return static_cast<float>(x);
}

inline float sum_lanes([[maybe_unused]] F32 d, Vec v) {
  return hn::GetLane(hn::SumOfLanes(d, v));
}
inline float max_lanes([[maybe_unused]] F32 d, Vec v) {
  return hn::GetLane(hn::MaxOfLanes(d, v));
}

}  // namespace fathom::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

// Defines cpu::op as a call of the version for the instruction set in force. Use under HWY_ONCE in namespace
// cpu.
#undef FATHOM_SIMD_OP
#define FATHOM_SIMD_OP(op, Args)           \
  HWY_EXPORT(op);                          \
  void op(Device& device, const Args& a) { \
    level();                               \
    HWY_DYNAMIC_DISPATCH(op)(device, a);   \
  }

#endif
