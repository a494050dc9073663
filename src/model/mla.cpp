// Two ways to attend, one mathematics: expanded (keys and values for every head, for training and prefill)
// and absorbed (queries carried into the latent space, for decoding). Both read the same latent rows [c_kv |
// k_rope]. Of a long prefix they are expanded and attended to in chunks, which bounds the memory.
#include "model/mla.h"

#include "model/attention_steps.h"
#include "model/projection.h"
#include "ops/attention.h"
#include "ops/latent_attention.h"
#include "ops/latent_cache.h"
#include "ops/rmsnorm.h"
#include "ops/rope.h"

namespace fathom {
namespace {

// The rotary part of the latent rows, as the one head that all share: [N, 1, Dr].
Tensor shared_rope_key(const Config& c, const Tensor& latent) {
  return latent.columns(c.kv_lora_rank, c.qk_rope_head_dim).reshape({latent.shape[0], 1, c.qk_rope_head_dim});
}
Tensor rope_part(const Config& c, const Tensor& q) {
  return q.columns(c.qk_nope_head_dim, c.qk_rope_head_dim);
}

// The latent norms use the reference code's fixed epsilon, not the config's.
void norm_query_latent(const Pass& p, const AttentionWeights& w, AttentionActivations& a) {
  rmsnorm_forward(p.device, {.out = a.q_a_normed, .rstd = a.q_a_rstd, .x = a.q_a, .w = w.q_a_layernorm.data});
}
void norm_latent(const Pass& p, const AttentionWeights& w, AttentionActivations& a) {
  rmsnorm_forward(p.device, {.out = a.c_kv,
                             .rstd = a.c_kv_rstd,
                             .x = a.latent.columns(0, p.config.kv_lora_rank),
                             .w = w.kv_a_layernorm.data});
}

// q = [q_nope | q_rope] with q_rope rotated, from the normed query latent, or from x where there is none.
void project_queries(const Pass& p, const AttentionWeights& w, AttentionActivations& a, const Tensor& x) {
  if (w.q_proj)
    project(p, flat(a.q), x, w.q_proj);
  else
    project(p, flat(a.q), a.q_a_normed, w.q_b_proj);
  rope(p.device, {.x = rope_part(p.config, a.q), .cos_sin = p.cos_sin});
}

// Equations 12-14: c_q, then q.
void queries(const Pass& p, const AttentionWeights& w, AttentionActivations& a, const Tensor& x) {
  if (!w.q_proj) {
    project(p, a.q_a, x, w.q_a_proj, w.q_a_bias.data);
    norm_query_latent(p, w, a);
  }
  project_queries(p, w, a, x);
}

// Equations 9 and 15: the latent row [c_kv | k_rope] with c_kv normed and k_rope rotated.
void latents(const Pass& p, const AttentionWeights& w, AttentionActivations& a, const Tensor& x) {
  project(p, a.latent, x, w.kv_a_proj_with_mqa, w.kv_a_bias.data);
  norm_latent(p, w, a);
  rope(p.device, {.x = shared_rope_key(p.config, a.latent), .cos_sin = p.cos_sin});
}

// Equations 10 and 11: keys and values of every head, from the keys' latents.
Tensor expand(const Pass& p, const AttentionWeights& w, const AttentionActivations& a, const Tensor& c_kv) {
  const Tensor kv = a.kv.slice(0, c_kv.rows());
  project(p, flat(kv), c_kv, w.kv_b_proj);
  return kv;
}

// Equations 16 and 17: ordinary attention to expanded keys and values.
void attend_expanded(const Pass& p, const AttentionActivations& a, const Tensor& kv, const Tensor& k_rope,
                     const Tensor& q_starts, const Tensor& kv_starts, bool causal) {
  attention_forward(p.device, {.out = a.out,
                               .lse = a.lse,
                               .q = a.q,
                               .kv = kv,
                               .k_rope = k_rope,
                               .q_starts = q_starts,
                               .kv_starts = kv_starts,
                               .scale = p.softmax_scale,
                               .causal = causal});
}

// Each sequence's tokens to its own tokens, without a cache.
void attend_tokens(const Pass& p, const AttentionActivations& a, const Tensor& kv) {
  attend_expanded(p, a, kv, a.latent.columns(p.config.kv_lora_rank, p.config.qk_rope_head_dim),
                  p.batch.sequence_starts, p.batch.sequence_starts, true);
}

// The same over the cache, in chunks.
void attend_cached(const Pass& p, const AttentionWeights& w, const AttentionActivations& a, int64_t layer) {
  for_each_chunk(p, a, [&](const KeyChunk& chunk, bool last) {
    const Tensor rows = a.prefix.slice(0, chunk.keys);
    latent_cache_read(p.device, {.out = rows,
                                 .pages = p.batch.cache->pages[layer],
                                 .block_table = p.batch.block_table,
                                 .first = chunk.first,
                                 .kv_starts = chunk.starts});
    attend_expanded(p, a, expand(p, w, a, rows.columns(0, p.config.kv_lora_rank)),
                    rows.columns(p.config.kv_lora_rank, p.config.qk_rope_head_dim), chunk.queries,
                    chunk.starts, last);
  });
}

// Section 2.1.2 and appendix C: W_UK moves to the query's side, W_UV to the output's.
void attend_absorbed(const Pass& p, const AttentionWeights& w, AttentionActivations& a, int64_t layer) {
  latent_attention(p.device, {.out = a.ctx,
                              .q_latent = a.q_latent,
                              .q_rope = rope_part(p.config, a.q),
                              .pages = p.batch.cache->pages[layer],
                              .block_table = p.batch.block_table,
                              .sequence = p.batch.sequence,
                              .positions = p.batch.positions,
                              .scale = p.softmax_scale});
  absorb_outputs(p, a.out, a.ctx, w.kv_b_proj);
}

// What the backward pass needs and the forward pass did not keep.
void recompute(const Pass& p, const AttentionWeights& w, AttentionActivations& a, const Tensor& x) {
  if (p.recompute.norms) {
    if (!w.q_proj) norm_query_latent(p, w, a);
    norm_latent(p, w, a);
  }
  if (p.recompute.up_projections) {
    project_queries(p, w, a, x);
    expand(p, w, a, a.c_kv);
  }
  if (p.recompute.attention) attend_tokens(p, a, a.kv);
}

}  // namespace

void mla_forward(const Pass& p, const AttentionWeights& w, AttentionActivations& a, int64_t layer,
                 const Tensor& x, const Tensor& out) {
  const auto keys = [&] {
    latents(p, w, a, x);
    if (p.batch.cache) write_cache(p, layer, a.latent);
  };
  const bool absorbed = p.batch.absorbed();
  p.run_concurrently(keys, [&] {
    queries(p, w, a, x);
    if (absorbed) absorb_queries(p, a.q_latent, a.q.columns(0, p.config.qk_nope_head_dim), w.kv_b_proj);
  });
  if (absorbed)
    attend_absorbed(p, w, a, layer);
  else if (p.batch.cache)
    attend_cached(p, w, a, layer);
  else
    attend_tokens(p, a, expand(p, w, a, a.c_kv));
  project(p, out, flat(a.out), w.o_proj, w.o_bias.data);
}

void mla_backward(const Pass& p, const AttentionWeights& w, AttentionWeights& dw, AttentionActivations& a,
                  Gradients& g, const Tensor& x, const Tensor& dout, const Tensor& dx) {
  const Config& c = p.config;
  Device& device = p.device;
  const AttentionGradients d = g.attention;
  const Tensor c_kv_raw = a.latent.columns(0, c.kv_lora_rank), dc_kv = d.latent.columns(0, c.kv_lora_rank);
  const Tensor k_rope = a.latent.columns(c.kv_lora_rank, c.qk_rope_head_dim);
  const Tensor dk_rope = d.latent.columns(c.kv_lora_rank, c.qk_rope_head_dim);

  recompute(p, w, a, x);
  project_backward_input(p, flat(g.attention_out), dout, w.o_proj);
  attention_backward(device, {.dq = d.q,
                              .dkv = d.kv,
                              .dk_rope = dk_rope,
                              .dout = g.attention_out,
                              .out = a.out,
                              .lse = a.lse,
                              .q = a.q,
                              .kv = a.kv,
                              .k_rope = k_rope,
                              .q_starts = p.batch.sequence_starts,
                              .kv_starts = p.batch.sequence_starts,
                              .scale = p.softmax_scale});

  // The latent's side: kv_b, norm, rotation, kv_a.
  project_backward_input(p, dc_kv, flat(d.kv), w.kv_b_proj);
  rmsnorm_backward(device, {.dx = dc_kv,
                            .dw = dw.kv_a_layernorm.data,
                            .dout = dc_kv,
                            .x = c_kv_raw,
                            .w = w.kv_a_layernorm.data,
                            .rstd = a.c_kv_rstd,
                            .accumulate_dw = p.accumulate});
  rope(device, {.x = shared_rope_key(c, d.latent), .cos_sin = p.cos_sin, .inverse = true});
  project_backward_input(p, dx, d.latent, w.kv_a_proj_with_mqa);

  // The query's side.
  rope(device, {.x = rope_part(c, d.q), .cos_sin = p.cos_sin, .inverse = true});
  if (w.q_proj) {
    project_backward_input(p, dx, flat(d.q), w.q_proj, /*accumulate=*/true);
  } else {
    project_backward_input(p, d.q_a, flat(d.q), w.q_b_proj);
    rmsnorm_backward(device, {.dx = d.q_a,
                              .dw = dw.q_a_layernorm.data,
                              .dout = d.q_a,
                              .x = a.q_a,
                              .w = w.q_a_layernorm.data,
                              .rstd = a.q_a_rstd,
                              .accumulate_dw = p.accumulate});
    project_backward_input(p, dx, d.q_a, w.q_a_proj, /*accumulate=*/true);
  }
  if (p.deferred)
    keep_gradients(a, g.attention);
  else
    mla_backward_weight(p, w, dw, a, g.attention, x, dout);
}

void mla_backward_weight(const Pass& p, const AttentionWeights& w, AttentionWeights& dw,
                         const AttentionActivations& a, const AttentionGradients& g, const Tensor& x,
                         const Tensor& dout) {
  project_backward_weight(p, w.o_proj, dw.o_proj, dout, flat(a.out), dw.o_bias.data);
  project_backward_weight(p, w.kv_b_proj, dw.kv_b_proj, flat(g.kv), a.c_kv);
  project_backward_weight(p, w.kv_a_proj_with_mqa, dw.kv_a_proj_with_mqa, g.latent, x, dw.kv_a_bias.data);
  if (w.q_proj) return project_backward_weight(p, w.q_proj, dw.q_proj, flat(g.q), x);
  project_backward_weight(p, w.q_b_proj, dw.q_b_proj, flat(g.q), a.q_a_normed);
  project_backward_weight(p, w.q_a_proj, dw.q_a_proj, g.q_a, x, dw.q_a_bias.data);
}

}  // namespace fathom
