#include "ops/residual_add.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/cpu/residual_add.cpp"
#include <hwy/foreach_target.h>
// must come after foreach_target
#include "ops/cpu/simd_math.h"

HWY_BEFORE_NAMESPACE();
namespace fathom::cpu::HWY_NAMESPACE {
namespace {

template <class T>
void add_row(T* stream, const T* x, int64_t C) {
  const F32 d;
  for_each_vector(C, [&](int64_t c, auto part) HWY_ATTR {
    store(d, hn::Add(load(d, stream + c, part), load(d, x + c, part)), stream + c, part);
  });
}

}  // namespace

void residual_add(Device& device, const ResidualAdd& a) {
  with_dtype<float, bf16>("residual_add", a.x.dtype, [&]<class T>(T) {
    parallel_ranges(device.threads(), a.x.rows(), 1, [&](int, int64_t begin, int64_t end) {
      for (int64_t n = begin; n < end; ++n) add_row(a.stream.row<T>(n), a.x.row<T>(n), a.x.cols());
    });
  });
}

}  // namespace fathom::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fathom::cpu {
FATHOM_SIMD_OP(residual_add, ResidualAdd)
}  // namespace fathom::cpu
#endif
