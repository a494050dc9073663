// Decoding over the paged latent cache: the dispatch to the kernels for each size, type and GPU.
#include "ops/cuda/attention/latent_attention_wgmma.cuh"

namespace fathom::cuda {
namespace {

constexpr SplitRule latent_splits = {.min_tokens = 32, .max_splits = most_splits};

// The cached rows of a narrow latent are short, and a split's results are R + 2 floats for each of H heads:
// up to 48 heads, writing them for 32K tokens is 4% of reading these.
SplitRule narrow_latent_splits(int64_t H) {
  return {.min_tokens = 256, .max_splits = static_cast<int>(std::clamp<int64_t>(768 / H, 16, most_splits))};
}

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
CachedQueries<gpu_t<T>> cached_queries(const LatentAttention& a) {
  const auto H = static_cast<int>(a.out.shape[1]), R = static_cast<int>(a.out.cols()),
             Dr = static_cast<int>(a.q_rope.cols());
  return {.first = data<T>(a.q_latent),
          .second = data<T>(a.q_rope),
          .first_stride = a.q_latent.row_stride,
          .second_stride = a.q_rope.row_stride,
          .first_columns = R,
          .columns = R + Dr,
          .sequence = data<int32_t>(a.sequence),
          .positions = data<int32_t>(a.positions),
          .H = H,
          .group = H,
          .slice = R + Dr,
          .first_value = 0,
          .values = R,
          .scale = static_cast<float>(a.scale)};
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
    const CachedQueries<gpu_t<T>> all = cached_queries<T>(a);
    const LatentCache<gpu_t<T>> cache = latent_cache_of<T>(a.pages, a.block_table);
    const auto attend = [&](const SplitRule& rule, const auto& kernel) {
      attend_in_splits(device, a.out, a.positions, a.block_table.cols() * a.pages.shape[1], rule,
                       [&](int64_t n, int64_t count, const SplitResults& results) {
                         kernel(device, all.from(n), count, cache, results);
                       });
    };
    if constexpr (std::is_same_v<T, bf16>) {
      if (cached_attention_mma_supports(all, cache))
        return attend(narrow_latent_splits(H), cached_attention_mma);
      if (latent_attention_mma_supports(all, cache)) return attend(latent_splits, latent_attention_mma);
    }
    attend(latent_splits, [&](Device&, const auto& some, int64_t count, const auto&, const auto& results) {
      attend_cached(device, some, count, cache, vectorizable(a.pages), results);
    });
  });
}

}  // namespace fathom::cuda
