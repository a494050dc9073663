// Decoding with grouped-query attention over a paged cache with split-KV: the dispatch.
#include "ops/paged_attention.h"

#include "ops/cuda/attention/cached_attention.cuh"

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
    const CachedQueries<gpu_t<T>> all = {.first = data<T>(a.q),
                                         .first_stride = a.q.row_stride,
                                         .first_columns = static_cast<int>(Dk),
                                         .columns = static_cast<int>(Dk),
                                         .sequence = data<int32_t>(a.sequence),
                                         .positions = data<int32_t>(a.positions),
                                         .H = static_cast<int>(H),
                                         .group = static_cast<int>(H / paged_heads(a)),
                                         .slice = static_cast<int>(slice),
                                         .first_value = static_cast<int>(Dk),
                                         .values = static_cast<int>(Dv),
                                         .scale = static_cast<float>(a.scale)};
    const auto attend = [&](int64_t n, int64_t count, const SplitResults& results) {
      const CachedQueries<gpu_t<T>> some = all.from(n);
      if constexpr (std::is_same_v<T, bf16>)
        if (cached_attention_mma_supports(some, cache))
          return cached_attention_mma(device, some, count, cache, results);
      attend_cached(device, some, count, cache, vectorized, results);
    };
    attend_in_splits(device, a.out, a.positions, a.block_table.cols() * a.pages.shape[1], paged_splits,
                     attend);
  });
}

}  // namespace fathom::cuda
