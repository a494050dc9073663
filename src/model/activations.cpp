#include "model/activations.h"

#include <algorithm>

#include "ops/dispatch.h"

namespace fathom {
namespace {

struct Layout {
  const Config& c;
  Arena* arena;
  Arena* scratch;  // of what layers share; with deferred weight gradients another one
  DType dtype;
  bool training, deferred;
  BatchSize size;
  Recompute recompute;
  int64_t expert_ranks = 1;    // R
  LayerActivations once = {};  // what layers share because it is recomputed, as far as it is allocated

  using Shape = std::initializer_list<int64_t>;
  Tensor any(Shape shape) { return arena->allocate(dtype, shape); }
  Tensor stat(Shape shape) { return arena->allocate(stat_of(dtype), shape); }
  Tensor ints(Shape shape) { return arena->allocate(DType::i32, shape); }
  // The shared tensor if it is recomputed, else one of this layer's own.
  Tensor part(bool recomputed, Tensor& shared, Shape shape) {
    if (!recomputed) return any(shape);
    if (shared.rank == 0) shared = scratch->allocate(dtype, shape);  // a planning arena gives no address
    return shared;
  }
  // Kept for the backward pass only.
  Tensor kept_stat(Shape shape) { return training ? stat(shape) : Tensor(); }

  AttentionActivations attention();
  void latents(AttentionActivations& a);
  void serving_latents(AttentionActivations& a);
  MlpActivations mlp(int64_t width, MlpActivations& shared);
  ExpertActivations experts();
  SentTokens sent();
  MoeActivations moe();
  LayerActivations layer(bool with_dense, bool with_moe);
  AttentionGradients attention_gradients();
  Gradients gradients(const ModelPart& part);
  Tensor low_rank();
  Activations activations(Purpose purpose, const ModelPart& part);
  void own_what_is_recomputed(LayerActivations& a);
};

AttentionActivations Layout::attention() {
  const int64_t N = size.tokens, M = c.is_mla() ? size.keys : std::max(size.keys, N),
                H = c.num_attention_heads;
  AttentionActivations a;
  if (c.is_mla()) latents(a);
  a.q = part(recompute.up_projections, once.attention.q, {N, H, c.qk_head_dim()});
  a.kv = part(recompute.up_projections, once.attention.kv, {M, c.kv_heads(), c.kv_head_dim()});
  a.out = part(recompute.attention, once.attention.out, {N, H, c.v_head_dim});
  a.lse = kept_stat({N, H});
  if (training) return a;
  if (c.is_mla()) serving_latents(a);
  if (size.chunks < 2) return a;
  a.lse = stat({N, H});
  a.merged = stat({N, H, c.v_head_dim});
  a.merged_lse = stat({N, H});
  return a;
}

void Layout::latents(AttentionActivations& a) {
  const int64_t N = size.tokens, Rq = c.q_lora_rank, Rkv = c.kv_lora_rank;
  if (Rq > 0) {
    a.q_a = any({N, Rq});
    if (training) a.q_a_normed = part(recompute.norms, once.attention.q_a_normed, {N, Rq});
    a.q_a_rstd = kept_stat({N});
  }
  a.latent = any({N, c.cache_width()});
  if (training) a.c_kv = part(recompute.norms, once.attention.c_kv, {N, Rkv});
  a.c_kv_rstd = kept_stat({N});
}

void Layout::serving_latents(AttentionActivations& a) {
  const int64_t N = size.tokens, H = c.num_attention_heads, Rkv = c.kv_lora_rank;
  a.norm_in_place(Rkv);
  if (size.chunks > 0) {
    a.prefix = any({size.keys, c.cache_width()});
    return;
  }
  a.q_latent = any({N, H, Rkv});
  a.ctx = any({N, H, Rkv});
}

MlpActivations Layout::mlp(int64_t width, MlpActivations& shared) {
  return {any({size.tokens, 2 * width}), part(recompute.swiglu, shared.act, {size.tokens, width})};
}

ExpertActivations Layout::experts() {
  const int64_t N = size.tokens, K = c.num_experts_per_tok, M = N * K, C = c.hidden_size,
                F = c.moe_intermediate_size;
  ExpertActivations a;
  a.offsets = ints({c.n_routed_experts + 1});
  a.row_of = ints({N, K});
  a.token_of = ints({M});
  a.x = part(recompute.dispatch, once.moe.experts.x, {M, C});
  a.gate_up = any({M, 2 * F});
  a.act = part(recompute.swiglu, once.moe.experts.act, {M, F});
  a.rows = any({M, C});
  return a;
}

SentTokens Layout::sent() {
  const int64_t N = size.tokens, K = c.num_experts_per_tok;
  SentTokens s;
  s.ranks = ints({N, K});
  s.counts = ints({2 * expert_ranks + 1});
  s.row_of = ints({N, K});
  s.token_of = ints({N * K});
  return s;
}

MoeActivations Layout::moe() {
  const int64_t N = size.tokens, E = c.n_routed_experts, K = c.num_experts_per_tok;
  MoeActivations a;
  a.scores = stat({N, E});
  a.ids = ints({N, K});
  a.weights = stat({N, K});
  a.prices = kept_stat({std::max<int64_t>(size.sequences, 1), E});  // seq_aux false: of the batch
  if (training) a.kept = ints({N, K});
  if (expert_ranks == 1)
    a.experts = experts();
  else
    a.sent = sent();
  if (c.n_shared_experts > 0) a.shared = mlp(c.n_shared_experts * c.moe_intermediate_size, once.moe.shared);
  return a;
}

LayerActivations Layout::layer(bool with_dense, bool with_moe) {
  const int64_t N = size.tokens, C = c.hidden_size;
  LayerActivations a;
  a.input_normed = part(recompute.norms, once.input_normed, {N, C});
  a.input_rstd = kept_stat({N});
  a.attention = attention();
  a.middle = any({N, C});
  a.middle_normed = part(recompute.norms, once.middle_normed, {N, C});
  a.middle_rstd = kept_stat({N});
  if (with_dense) a.mlp = mlp(c.intermediate_size, once.mlp);
  if (with_moe) a.moe = moe();
  return a;
}

// Which kinds of layers there are from one to another.
struct Kinds {
  Kinds(const Config& c, int64_t first, int64_t end) {
    for (int64_t i = first; i < end; ++i) (c.is_moe_layer(i) ? moe : dense) = true;
  }
  bool dense = false, moe = false;
};

AttentionGradients Layout::attention_gradients() {
  const int64_t N = size.tokens, H = c.num_attention_heads;
  AttentionGradients g;
  g.q = any({N, H, c.qk_head_dim()});
  if (c.q_lora_rank > 0) g.q_a = any({N, c.q_lora_rank});
  g.kv = any({N, c.kv_heads(), c.kv_head_dim()});
  if (c.is_mla()) g.latent = any({N, c.cache_width()});
  return g;
}

// But those that allocate_deferred_gradients brings.
Gradients Layout::gradients(const ModelPart& part) {
  const int64_t N = size.tokens, C = c.hidden_size, H = c.num_attention_heads, K = c.num_experts_per_tok,
                F = c.moe_intermediate_size;
  const Kinds any_of(c, part.first_layer, part.end_layer(c));
  Gradients g;
  if (!deferred) {
    g.stream = any({N, C});
    g.attention = attention_gradients();
    if (any_of.moe) g.scores = stat({N, c.n_routed_experts});
  }
  g.branch = any({N, C});
  g.attention_out = any({N, H, c.v_head_dim});
  const int64_t shared = any_of.moe ? c.n_shared_experts * F : 0;
  g.act = any({N * std::max(shared, any_of.dense ? c.intermediate_size : 0)});
  if (!any_of.moe) return g;
  g.weights = stat({N, K});
  if (expert_ranks > 1) return g;
  const Tensor experts = any({N * K * (deferred ? std::max(C, F) : F)});
  g.expert_act = experts.slice(0, N * K * F).reshape({N * K, F});
  if (deferred) g.expert_x = experts.slice(0, N * K * C).reshape({N * K, C});
  return g;
}

// Two products of the largest rank, in the backward pass both at a time. Their rows are tokens, choices of
// experts (of tokens from other ranks they lie elsewhere), expanded keys, or with absorption a token's heads.
Tensor Layout::low_rank() {
  const int64_t N = size.tokens, choices = expert_ranks == 1 ? N * c.num_experts_per_tok : 0,
                heads = c.is_mla() && size.chunks == 0 && !training ? N * c.num_attention_heads : 0;
  return any({(training ? 2 : 1) * std::max({N, choices, size.keys, heads}) * c.lora.largest_rank()});
}

Activations Layout::activations(Purpose purpose, const ModelPart& part) {
  const int64_t N = size.tokens, C = c.hidden_size, first = part.first_layer, end = part.end_layer(c);
  // Layers before this one have one set for all.
  const int64_t shared_end = training ? std::clamp(recompute.layers, first, end) : end;
  Arena* const kept = arena;

  Activations a;
  a.purpose = purpose;
  a.deferred = deferred;
  a.recompute = recompute;
  a.recompute.layers = training ? shared_end : 0;
  a.first_layer = first;
  a.cos_sin = stat({N, c.qk_rope_head_dim});
  for (int64_t i = 0; i < (training ? end - first + 1 : 2); ++i) a.streams.push_back(any({N, C}));
  if (shared_end > first) {
    const Kinds any_of(c, first, shared_end);
    arena = scratch;
    a.layers.assign(static_cast<size_t>(shared_end - first), layer(any_of.dense, any_of.moe));
    arena = kept;
  }
  for (int64_t i = shared_end; i < end; ++i) {
    a.layers.push_back(layer(!c.is_moe_layer(i), c.is_moe_layer(i)));
    if (a.deferred) a.layers.back().dout = a.stream(i + 1);
  }
  if (c.lora) {
    arena = scratch;
    a.low_rank = low_rank();
    arena = kept;
  }
  if (part.has_head(c)) {
    a.normed = any({N, C});
    if (training) a.rstd = stat({N});
  }
  if (training) {
    a.balance_losses = stat({3});
    a.recomputed_balance_losses = stat({3});
    arena = scratch;
    a.gradients = gradients(part);
    arena = kept;
  }
  return a;
}

// In place of the tensors that layers share in the forward pass. Those of tokens that other ranks have sent
// are none of them.
void Layout::own_what_is_recomputed(LayerActivations& a) {
  const auto own = [&](bool recomputed, std::initializer_list<Tensor*> tensors) {
    for (Tensor* t : tensors)
      if (recomputed && t->rank > 0) t->data = any({t->count()}).data;
  };
  own(recompute.norms, {&a.input_normed, &a.middle_normed, &a.attention.q_a_normed, &a.attention.c_kv});
  own(recompute.up_projections, {&a.attention.q, &a.attention.kv});
  own(recompute.attention, {&a.attention.out});
  own(recompute.swiglu, {&a.mlp.act, &a.moe.shared.act});
  if (a.moe.sent.counts.rank > 0) return;
  own(recompute.swiglu, {&a.moe.experts.act});
  own(recompute.dispatch, {&a.moe.experts.x});
}

}  // namespace

Activations allocate_activations(const Config& c, Arena& arena, DType dtype, Purpose purpose,
                                 const BatchSize& size, const Recompute& recompute, const ModelPart& part) {
  const bool training = purpose == Purpose::training;
  Layout layout{
      c, &arena, &arena, dtype, training, /*deferred=*/false, size, recompute, part.expert_ranks(c)};
  if (training) layout.size.keys = size.tokens;
  return layout.activations(purpose, part);
}

Activations allocate_deferred_activations(const Config& c, Arena& kept, Arena& scratch, DType dtype,
                                          const BatchSize& size, const Recompute& recompute,
                                          const ModelPart& part) {
  Layout layout{c,
                &kept,
                &scratch,
                dtype,
                /*training=*/true,
                /*deferred=*/true,
                size,
                recompute,
                part.expert_ranks(c)};
  layout.size.keys = size.tokens;
  return layout.activations(Purpose::training, part);
}

void allocate_deferred_gradients(const Config& c, Arena& deferred, DType dtype, const BatchSize& size,
                                 Activations& a) {
  Layout layout{c, &deferred, &deferred, dtype, /*training=*/true, /*deferred=*/true, size, a.recompute};
  const int64_t first = a.first_layer, end = first + static_cast<int64_t>(a.layers.size());
  for (int64_t i = a.recompute.layers; i < end; ++i) layout.own_what_is_recomputed(a.layer(i));
  a.gradients.stream = layout.any({size.tokens, c.hidden_size});
  a.gradients.attention = layout.attention_gradients();
  if (Kinds(c, first, end).moe) a.gradients.scores = layout.stat({size.tokens, c.n_routed_experts});
}

int64_t activation_bytes(const Config& config, DType dtype, Purpose purpose, const BatchSize& size,
                         const Recompute& recompute, const ModelPart& part) {
  Arena plan;
  allocate_activations(config, plan, dtype, purpose, size, recompute, part);
  return plan.used();
}

DeferredActivationBytes deferred_activation_bytes(const Config& config, DType dtype, const BatchSize& size,
                                                  const Recompute& recompute, const ModelPart& part) {
  Arena kept, deferred, scratch;
  Activations a = allocate_deferred_activations(config, kept, scratch, dtype, size, recompute, part);
  allocate_deferred_gradients(config, deferred, dtype, size, a);
  return {.kept = kept.used(), .deferred = deferred.used(), .scratch = scratch.used()};
}

}  // namespace fathom
