// The heads of a group read their slice [k | v] of a cached row.
#include "ops/paged_attention.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/cpu/attention/paged_attention.cpp"
#include <hwy/foreach_target.h>
// must come after foreach_target
#include "ops/cpu/attention/cached_attention.h"

HWY_BEFORE_NAMESPACE();
namespace fathom::cpu::HWY_NAMESPACE {

void paged_attention(Device& device, const PagedAttention& a) {
  const int64_t H = a.out.shape[1], G = paged_heads(a), Dk = a.q.cols(), sharing = H / G;
  const CachedSizes z{.H = sharing, .G = G, .key = Dk, .value = a.out.cols(), .value_column = Dk};
  attend_cached(device, "paged_attention", a, z, [&]<class T>(T, int64_t n, int64_t g, float* q) {
    pack_transposed(a.q.row<T>(n * H + g * sharing), a.q.row_stride, sharing, Dk, q, Dk * z.panel, z.panel);
  });
}

}  // namespace fathom::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fathom::cpu {
FATHOM_SIMD_OP(paged_attention, PagedAttention)
}  // namespace fathom::cpu
#endif
