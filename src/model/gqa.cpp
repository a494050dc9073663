// The keys and values of a token, [k_0 | v_0 | k_1 | v_1 | ...], are a row of the cache as the projection
// makes it, but for the keys' rotation. Prompts gather the cached rows and attend as in training; decoding
// reads them where they lie.
#include "model/gqa.h"

#include "model/attention_steps.h"
#include "model/projection.h"
#include "ops/attention.h"
#include "ops/latent_cache.h"
#include "ops/paged_attention.h"
#include "ops/rope.h"

namespace fathom {
namespace {

// The keys of [N, G, Dk+Dv].
Tensor keys_of(const Config& c, const Tensor& kv) {
  return kv.columns(0, c.qk_head_dim());
}

void rotate(const Pass& p, const Tensor& heads, bool inverse = false) {
  rope(p.device, {.x = heads, .cos_sin = p.cos_sin, .inverse = inverse, .pairs = RopePairs::halves});
}

void project_queries(const Pass& p, const AttentionWeights& w, const AttentionActivations& a,
                     const Tensor& x) {
  project(p, flat(a.q), x, w.q_proj);
  rotate(p, a.q);
}

// The first N rows of a.kv are this batch's.
Tensor project_keys_values(const Pass& p, const AttentionWeights& w, const AttentionActivations& a,
                           const Tensor& x) {
  const Tensor kv = a.kv.slice(0, x.rows());
  project(p, flat(kv), x, w.kv_proj);
  rotate(p, keys_of(p.config, kv));
  return kv;
}

void attend(const Pass& p, const AttentionActivations& a, const Tensor& kv, const Tensor& q_starts,
            const Tensor& kv_starts, bool causal) {
  attention_forward(p.device, {.out = a.out,
                               .lse = a.lse,
                               .q = a.q,
                               .kv = kv,
                               .q_starts = q_starts,
                               .kv_starts = kv_starts,
                               .scale = p.softmax_scale,
                               .causal = causal});
}

// Over the cache, in chunks that are gathered into a.kv.
void attend_cached(const Pass& p, const AttentionActivations& a, int64_t layer) {
  for_each_chunk(p, a, [&](const KeyChunk& chunk, bool last) {
    const Tensor kv = a.kv.slice(0, chunk.keys);
    latent_cache_read(p.device, {.out = flat(kv),
                                 .pages = p.batch.cache->pages[layer],
                                 .block_table = p.batch.block_table,
                                 .first = chunk.first,
                                 .kv_starts = chunk.starts});
    attend(p, a, kv, chunk.queries, chunk.starts, last);
  });
}

void attend_paged(const Pass& p, const AttentionActivations& a, int64_t layer) {
  paged_attention(p.device, {.out = a.out,
                             .q = a.q,
                             .pages = p.batch.cache->pages[layer],
                             .block_table = p.batch.block_table,
                             .sequence = p.batch.sequence,
                             .positions = p.batch.positions,
                             .scale = p.softmax_scale});
}

}  // namespace

void gqa_forward(const Pass& p, const AttentionWeights& w, AttentionActivations& a, int64_t layer,
                 const Tensor& x, const Tensor& out) {
  const auto keys_values = [&] {
    const Tensor kv = project_keys_values(p, w, a, x);
    if (p.batch.cache) write_cache(p, layer, flat(kv));
  };
  p.run_concurrently(keys_values, [&] { project_queries(p, w, a, x); });
  if (!p.batch.cache)
    attend(p, a, a.kv, p.batch.sequence_starts, p.batch.sequence_starts, /*causal=*/true);
  else if (p.batch.absorbed())
    attend_paged(p, a, layer);
  else
    attend_cached(p, a, layer);
  project(p, out, flat(a.out), w.o_proj);
}

void gqa_backward(const Pass& p, const AttentionWeights& w, AttentionWeights& dw, AttentionActivations& a,
                  Gradients& g, const Tensor& x, const Tensor& dout, const Tensor& dx) {
  const AttentionGradients d = g.attention;
  if (p.recompute.up_projections) {
    project_queries(p, w, a, x);
    project_keys_values(p, w, a, x);
  }
  if (p.recompute.attention) attend(p, a, a.kv, p.batch.sequence_starts, p.batch.sequence_starts, /*causal=*/true);
  project_backward_input(p, flat(g.attention_out), dout, w.o_proj);
  attention_backward(p.device, {.dq = d.q,
                                .dkv = d.kv,
                                .dout = g.attention_out,
                                .out = a.out,
                                .lse = a.lse,
                                .q = a.q,
                                .kv = a.kv,
                                .q_starts = p.batch.sequence_starts,
                                .kv_starts = p.batch.sequence_starts,
                                .scale = p.softmax_scale});
  rotate(p, keys_of(p.config, d.kv), /*inverse=*/true);
  project_backward_input(p, dx, flat(d.kv), w.kv_proj);
  rotate(p, d.q, /*inverse=*/true);
  project_backward_input(p, dx, flat(d.q), w.q_proj, /*accumulate=*/true);
  if (p.deferred)
    keep_gradients(a, g.attention);
  else
    gqa_backward_weight(p, w, dw, a, g.attention, x, dout);
}

void gqa_backward_weight(const Pass& p, const AttentionWeights& w, AttentionWeights& dw,
                         const AttentionActivations& a, const AttentionGradients& g, const Tensor& x,
                         const Tensor& dout) {
  project_backward_weight(p, w.o_proj, dw.o_proj, dout, flat(a.out));
  project_backward_weight(p, w.kv_proj, dw.kv_proj, flat(g.kv), x);
  project_backward_weight(p, w.q_proj, dw.q_proj, flat(g.q), x);
}

}  // namespace fathom
