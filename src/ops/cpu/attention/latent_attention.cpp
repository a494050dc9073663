// All heads of a query read the whole cached row [c_kv | k_rope] as their key, and its latent as their value.
#include "ops/latent_attention.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/cpu/attention/latent_attention.cpp"
#include <hwy/foreach_target.h>
// must come after foreach_target
#include "ops/cpu/attention/cached_attention.h"

HWY_BEFORE_NAMESPACE();
namespace fathom::cpu::HWY_NAMESPACE {

void latent_attention(Device& device, const LatentAttention& a) {
  const int64_t H = a.out.shape[1], R = a.out.cols(), Dr = a.q_rope.cols();
  const CachedSizes z{.H = H, .G = 1, .key = R + Dr, .value = R, .value_column = 0};
  attend_cached(device, "latent_attention", a, z, [&]<class T>(T, int64_t n, int64_t, float* q) {
    pack_transposed(a.q_latent.row<T>(n * H), a.q_latent.row_stride, H, R, q, z.key * z.panel, z.panel);
    pack_transposed(a.q_rope.row<T>(n * H), a.q_rope.row_stride, H, Dr, q + R * z.panel, z.key * z.panel,
                    z.panel);
  });
}

}  // namespace fathom::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fathom::cpu {
FATHOM_SIMD_OP(latent_attention, LatentAttention)
}  // namespace fathom::cpu
#endif
