// Decoding with grouped-query attention over a paged cache with split-KV: the dispatch, and the kernel
// without tensor cores. paged_attention_mma.cu is the one with tensor cores.
#include "ops/paged_attention.h"

#include "ops/cuda/attention/paged_attention.cuh"

namespace fathom::cuda {
namespace {

// Long enough that writing the results of a split is little beside reading it.
constexpr SplitRule paged_splits = {.min_tokens = 256, .max_splits = 64};
static_assert(paged_splits.max_splits <= most_splits);

}  // namespace

void paged_attention(Device& device, const PagedAttention& a) {
  const int64_t H = a.out.shape[1], Dk = a.q.cols(), Dv = a.out.cols(), slice = Dk + Dv;
  check(Dk <= max_head_dim && Dv <= max_head_dim,
        "paged_attention: heads of {} and {} columns are wider than this backend's {}", Dk, Dv, max_head_dim);
  with_dtype<float, bf16>("paged_attention", a.out.dtype, [&]<class T>(T) {
    const LatentCache<gpu_t<T>> cache = latent_cache_of<T>(a.pages, a.block_table);
    const bool vectorized = vectorizable(a.pages) && vectorizable_width(slice);
    const auto attend = [&](int64_t n, int64_t count, const SplitResults& results) {
      const CachedQueries<gpu_t<T>> q = {.first = data<T>(a.q) + n * H * a.q.row_stride,
                                         .first_stride = a.q.row_stride,
                                         .first_columns = static_cast<int>(Dk),
                                         .columns = static_cast<int>(Dk),
                                         .sequence = data<int32_t>(a.sequence) + n,
                                         .positions = data<int32_t>(a.positions) + n,
                                         .H = static_cast<int>(H),
                                         .group = static_cast<int>(H / paged_heads(a)),
                                         .slice = static_cast<int>(slice),
                                         .first_value = static_cast<int>(Dk),
                                         .values = static_cast<int>(Dv),
                                         .scale = static_cast<float>(a.scale)};
      if constexpr (std::is_same_v<T, bf16>)
        if (paged_attention_mma(device, q, count, cache, results)) return;
      attend_cached(device, q, count, cache, vectorized, results);
    };
    attend_in_splits(device, a.out, a.positions, a.block_table.cols() * a.pages.shape[1], paged_splits,
                     attend);
  });
}

}  // namespace fathom::cuda
