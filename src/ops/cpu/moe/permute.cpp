#include "ops/permute.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/cpu/moe/permute.cpp"
#include <hwy/foreach_target.h>
// must come after foreach_target
#include "ops/cpu/moe/expert_rows.h"

#include <cstring>

HWY_BEFORE_NAMESPACE();
namespace fathom::cpu::HWY_NAMESPACE {

void permute(Device& device, const Permute& a) {
  with_dtype<float, bf16>("permute", a.x.dtype, [&]<class T>(T) {
    parallel_ranges(device.threads(), a.out.rows(), 1, [&](int, int64_t begin, int64_t end) {
      for (int64_t m = begin; m < end; ++m)
        std::memcpy(a.out.row<T>(m), a.x.row<T>(a.token_of.as<int32_t>()[m]), a.x.cols() * sizeof(T));
    });
  });
}

void permute_backward(Device& device, const PermuteBackward& a) {
  with_dtype<float, bf16>("permute_backward", a.dx.dtype, [&]<class T>(T) {
    parallel_ranges(device.threads(), a.dx.rows(), 1, [&](int, int64_t begin, int64_t end) {
      for (int64_t n = begin; n < end; ++n)
        sum_rows<T>(a.dout, a.row_of.row<int32_t>(n), nullptr, a.row_of.cols(), nullptr, a.dx.row<T>(n));
    });
  });
}

}  // namespace fathom::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fathom::cpu {
FATHOM_SIMD_OP(permute, Permute)
FATHOM_SIMD_OP(permute_backward, PermuteBackward)
}  // namespace fathom::cpu
#endif
