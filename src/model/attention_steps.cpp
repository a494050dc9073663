#include "model/attention_steps.h"

#include <utility>

#include "ops/attention_merge.h"
#include "ops/latent_cache.h"

namespace fathom {

void write_cache(const Pass& p, int64_t layer, const Tensor& rows) {
  latent_cache_write(p.device, {.pages = p.batch.cache->pages[layer],
                                .latent = rows,
                                .block_table = p.batch.block_table,
                                .sequence = p.batch.sequence,
                                .positions = p.batch.positions});
}

void merge_chunk(const Pass& p, const AttentionActivations& a, bool first, bool last) {
  attention_merge(p.device, {.merged = a.merged,
                             .merged_lse = a.merged_lse,
                             .part = a.out,
                             .part_lse = a.lse,
                             .out = last ? a.out : Tensor(),
                             .first = first});
}

void keep_gradients(AttentionActivations& a, AttentionGradients& d) {
  std::swap(a.q, d.q);
  std::swap(a.q_a, d.q_a);
  std::swap(a.kv, d.kv);
  std::swap(a.latent, d.latent);
}

}  // namespace fathom
