// Decoding over the paged latent cache with split-KV: the dispatch, and the kernel without tensor cores.
// latent_attention_mma.cu is the one with tensor cores.
#include "ops/cuda/attention/cached_attention.cuh"
#include "ops/cuda/attention/latent_attention_wgmma.cuh"

namespace fathom::cuda {
namespace {

constexpr SplitRule latent_splits = {.min_tokens = 32, .max_splits = 128};
static_assert(latent_splits.max_splits <= most_splits);

// Whether the Hopper kernels take the sizes, types and alignments, and the GPU.
bool wgmma_supports(const Device& device, const LatentAttention& a) {
  const int64_t page = a.pages.shape[1];
  const bool page_suits =
      page % latent_tile_rows == 0 || (vectorizable_width(page) && latent_tile_rows % page == 0);
  return has_wgmma(device) && a.out.dtype == DType::bf16 && a.out.cols() == latent_width &&
         a.q_rope.cols() == latent_rope_width && page_suits && a.pages.rows() > 0 &&
         rows_aligned_to_16_bytes(a.q_latent) && rows_aligned_to_16_bytes(a.q_rope) &&
         rows_aligned_to_16_bytes(a.pages);
}

template <class T>
CachedQueries<T> cached_queries(const LatentQueries<T>& q) {
  return {.first = q.latent,
          .second = q.rope,
          .first_stride = q.latent_stride,
          .second_stride = q.rope_stride,
          .first_columns = q.R,
          .columns = q.R + q.Dr,
          .sequence = q.sequence,
          .positions = q.positions,
          .H = q.H,
          .group = q.H,
          .slice = q.R + q.Dr,
          .first_value = 0,
          .values = q.R,
          .scale = q.scale};
}

}  // namespace

void latent_attention(Device& device, const LatentAttention& a) {
  const int64_t H = a.out.shape[1], R = a.out.cols();
  check(R <= max_latent, "latent_attention: kv_lora_rank {} is larger than the CUDA backend's {}", R,
        max_latent);
  if (a.out.shape[0] > 0 && wgmma_supports(device, a))
    return H <= max_few_heads ? latent_attention_few_heads(device, a)
                              : latent_attention_many_heads(device, a);
  with_dtype<float, bf16>("latent_attention", a.out.dtype, [&]<class T>(T) {
    const LatentQueries<gpu_t<T>> all = {.latent = data<T>(a.q_latent),
                                         .rope = data<T>(a.q_rope),
                                         .latent_stride = a.q_latent.row_stride,
                                         .rope_stride = a.q_rope.row_stride,
                                         .sequence = data<int32_t>(a.sequence),
                                         .positions = data<int32_t>(a.positions),
                                         .H = static_cast<int>(H),
                                         .R = static_cast<int>(R),
                                         .Dr = static_cast<int>(a.q_rope.cols()),
                                         .scale = static_cast<float>(a.scale)};
    const LatentCache<gpu_t<T>> cache = latent_cache_of<T>(a.pages, a.block_table);
    attend_in_splits(device, a.out, a.positions, a.block_table.cols() * a.pages.shape[1], latent_splits,
                     [&](int64_t n, int64_t count, const SplitResults& results) {
                       const LatentQueries<gpu_t<T>> some = all.from(n);
                       if constexpr (std::is_same_v<T, bf16>)
                         if (latent_attention_mma(device, some, count, cache, results)) return;
                       attend_cached(device, cached_queries(some), count, cache, vectorizable(a.pages),
                                     results);
                     });
  });
}

}  // namespace fathom::cuda
