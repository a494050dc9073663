#include "model/batch.h"

namespace fathom {

LatentCache allocate_cache(const Config& config, Arena& arena, DType dtype, int64_t pages,
                           int64_t page_size) {
  LatentCache cache;
  for (int64_t i = 0; i < config.num_hidden_layers; ++i)
    cache.pages.push_back(arena.allocate(dtype, {pages, page_size, config.cache_width()}));
  return cache;
}

int64_t Batch::keys_count() const {
  if (!cache) return tokens_count();
  return kv_starts.as<int32_t>()[kv_starts.cols() - 1];
}

bool absorbed_is_cheaper(const Config& c, std::span<const int32_t> new_tokens,
                         std::span<const int32_t> lengths) {
  // Multiplications per head. Both forms pay per (query, key) pair; expanding also pays for every key,
  // absorbing for every query.
  const double latent = static_cast<double>(c.kv_lora_rank * (c.qk_nope_head_dim + c.v_head_dim));
  const double expanded_pair = static_cast<double>(c.qk_head_dim() + c.v_head_dim);
  const double absorbed_pair = static_cast<double>(2 * c.kv_lora_rank + c.qk_rope_head_dim);
  double expanded = 0, absorbed = 0;
  for (size_t b = 0; b < new_tokens.size(); ++b) {
    const double queries = new_tokens[b], keys = lengths[b];
    const double pairs = queries * (keys - (queries - 1) / 2);
    expanded += keys * latent + pairs * expanded_pair;
    absorbed += queries * latent + pairs * absorbed_pair;
  }
  return absorbed < expanded;
}

}  // namespace fathom
