#include "ops/scale.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/cpu/scale.cpp"
#include <hwy/foreach_target.h>
// must come after foreach_target
#include "ops/cpu/simd_math.h"

HWY_BEFORE_NAMESPACE();
namespace fathom::cpu::HWY_NAMESPACE {
namespace {

template <class T>
void scale_range(T* x, float factor, int64_t n) {
  const F32 d;
  const Vec f = hn::Set(d, factor);
  for_each_vector(
      n, [&](int64_t i, auto part) HWY_ATTR { store(d, hn::Mul(load(d, x + i, part), f), x + i, part); });
}

}  // namespace

void scale(Device& device, const Scale& a) {
  with_dtype<float, bf16>("scale", a.x.dtype, [&]<class T>(T) {
    parallel_ranges(device.threads(), a.x.count(), 1024, [&](int, int64_t begin, int64_t end) {
      scale_range(a.x.as<T>() + begin, static_cast<float>(a.factor), end - begin);
    });
  });
}

}  // namespace fathom::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fathom::cpu {
FATHOM_SIMD_OP(scale, Scale)
}  // namespace fathom::cpu
#endif
