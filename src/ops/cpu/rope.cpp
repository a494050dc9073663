#include "ops/rope.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/cpu/rope.cpp"
#include <hwy/foreach_target.h>
// must come after foreach_target
#include "ops/cpu/simd_math.h"

#include <cmath>

HWY_BEFORE_NAMESPACE();
namespace fathom::cpu::HWY_NAMESPACE {
namespace {

// A vector of pairs, split into their even and odd members.
struct Pairs {
  Vec even, odd;
};

inline Pairs load_pairs(F32 d, const float* p) {
  Pairs x;
  hn::LoadInterleaved2(d, p, x.even, x.odd);
  return x;
}
inline void store_pairs(F32 d, Pairs x, float* p) {
  hn::StoreInterleaved2(x.even, x.odd, d, p);
}

// A bf16 pair is one 32-bit lane: the even member below, the odd one above.
inline Pairs load_pairs(F32 d, const bf16* p) {
  const hn::RebindToUnsigned<F32> d32;
  const auto both = hn::LoadU(d32, reinterpret_cast<const uint32_t*>(p));
  return {hn::BitCast(d, hn::ShiftLeft<16>(both)), hn::BitCast(d, hn::And(both, hn::Set(d32, 0xffff0000u)))};
}
inline void store_pairs(F32 d, Pairs x, bf16* p) {
  const hn::RebindToUnsigned<F32> d32;
  const auto even = hn::BitCast(d32, round_to(d, x.even, bf16{})),
             odd = hn::BitCast(d32, round_to(d, x.odd, bf16{}));
  const auto both = hn::Or(hn::And(odd, hn::Set(d32, 0xffff0000u)), hn::ShiftRight<16>(even));
  hn::StoreU(both, d32, reinterpret_cast<uint32_t*>(p));
}

// The two members of pairs that lie in the halves of a head.
inline Pairs load_halves(F32 d, const auto* p, int64_t half) {
  return {load(d, p), load(d, p + half)};
}
inline void store_halves(F32 d, Pairs x, auto* p, int64_t half) {
  store(d, x.even, p), store(d, x.odd, p + half);
}

// Rotates all heads of one token, which share each vector of cosines and sines.
template <class T>
void rotate_heads(T* x, const float* cos_sin, int64_t heads, int64_t stride, int64_t Dr, float sign,
                  RopePairs pairs) {
  const F32 d;
  const bool neighbours = pairs == RopePairs::neighbours;
  const int64_t step = static_cast<int64_t>(hn::Lanes(d)), half = Dr / 2;
  int64_t k = 0;
  if (HWY_TARGET != HWY_SCALAR)  // one pair at a time gains nothing
    for (; k + step <= half; k += step) {
      const Pairs table = load_pairs(d, cos_sin + 2 * k);
      const Vec cos = table.even, sin = hn::Mul(table.odd, hn::Set(d, sign));
      for (int64_t h = 0; h < heads; ++h) {
        T* p = x + h * stride + (neighbours ? 2 * k : k);
        const Pairs v = neighbours ? load_pairs(d, p) : load_halves(d, p, half);
        const Pairs rotated = {hn::NegMulAdd(v.odd, sin, hn::Mul(v.even, cos)),
                               hn::MulAdd(v.odd, cos, hn::Mul(v.even, sin))};
        if (neighbours)
          store_pairs(d, rotated, p);
        else
          store_halves(d, rotated, p, half);
      }
    }
  for (int64_t h = 0; h < heads; ++h)
    for (int64_t i = k; i < half; ++i) {
      T &re = x[h * stride + (neighbours ? 2 * i : i)], &im = (&re)[neighbours ? 1 : half];
      const float cos = cos_sin[2 * i], sin = sign * cos_sin[2 * i + 1];
      const float a = to_float(re), b = to_float(im);
      re = T(a * cos - b * sin);
      im = T(a * sin + b * cos);
    }
}

}  // namespace

void rope_table(Device& device, const RopeTable& a) {
  with_dtype<float>("rope_table", a.cos_sin.dtype, [&]<class T>(T) {
    parallel_ranges(device.threads(), a.cos_sin.rows(), 1, [&](int, int64_t begin, int64_t end) {
      for (int64_t n = begin; n < end; ++n)
        for (int64_t k = 0; k < a.inv_freq.count(); ++k) {
          const double angle = a.positions.as<int32_t>()[n] * a.inv_freq.as<double>()[k];
          a.cos_sin.row<T>(n)[2 * k] = static_cast<T>(std::cos(angle) * a.factor);
          a.cos_sin.row<T>(n)[2 * k + 1] = static_cast<T>(std::sin(angle) * a.factor);
        }
    });
  });
}

void rope(Device& device, const Rope& a) {
  with_dtype<float, bf16>("rope", a.x.dtype, [&]<class T>(T) {
    const int64_t H = a.x.shape[1];
    parallel_ranges(device.threads(), a.x.shape[0], 1, [&](int, int64_t begin, int64_t end) {
      for (int64_t n = begin; n < end; ++n)
        rotate_heads(a.x.row<T>(n * H), a.cos_sin.row<float>(n), H, a.x.row_stride, a.x.cols(),
                     a.inverse ? -1.0f : 1.0f, a.pairs);
    });
  });
}

}  // namespace fathom::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fathom::cpu {
FATHOM_SIMD_OP(rope_table, RopeTable)
FATHOM_SIMD_OP(rope, Rope)
}  // namespace fathom::cpu
#endif
