// Small DeepSeek-V2 configurations that together touch every branch of the model, with random weights.
#pragma once
#include <memory>
#include <vector>

#include "base/rng.h"
#include "model/lora_targets.h"
#include "model/model.h"
#include "ops/fill_normal.h"

namespace fathom::testing {

// Query latent, expert groups, YaRN, shared experts, a dense first layer.
inline Config v2_like() {
  Config c;
  c.vocab_size = 61, c.hidden_size = 20, c.num_hidden_layers = 3, c.intermediate_size = 28;
  c.max_position_embeddings = 4096;
  c.num_attention_heads = 3, c.q_lora_rank = 10, c.kv_lora_rank = 12;
  c.qk_nope_head_dim = 6, c.qk_rope_head_dim = 4, c.v_head_dim = 5;
  RopeScaling& r = c.rope_scaling;
  r.type = RopeType::yarn, r.factor = 4, r.original_max_position_embeddings = 16;
  r.mscale = 1, r.mscale_all_dim = 0.7;
  c.n_routed_experts = 8, c.n_shared_experts = 2, c.num_experts_per_tok = 3, c.moe_intermediate_size = 8;
  c.first_k_dense_replace = 1;
  c.topk_method = TopkMethod::group_limited_greedy, c.n_group = 4, c.topk_group = 2;
  c.routed_scaling_factor = 2.5, c.aux_loss_alpha = 0.05;
  c.initializer_range = 0.15;
  return c;
}

// No query latent, greedy, normalised weights, biases, every second layer MoE, no shared experts, tied
// embeddings.
inline Config lite_like() {
  Config c = v2_like();
  c.q_lora_rank = 0, c.rope_scaling = {}, c.topk_method = TopkMethod::greedy, c.n_group = c.topk_group = 1;
  c.norm_topk_prob = true, c.attention_bias = true, c.moe_layer_freq = 2, c.n_shared_experts = 0;
  c.tie_word_embeddings = true, c.seq_aux = false;
  return c;
}

// Grouped-query attention with DeepSeekMoE, and in Llama's form: dense, multi-query, with YaRN.
inline Config gqa_like() {
  Config c = v2_like();
  c.num_attention_heads = 6, c.num_key_value_heads = 2, c.q_lora_rank = c.kv_lora_rank = 0;
  c.qk_nope_head_dim = 0, c.qk_rope_head_dim = c.v_head_dim = 4, c.rope_scaling = {};
  c.topk_method = TopkMethod::greedy, c.n_group = c.topk_group = 1, c.routed_scaling_factor = 1;
  return c;
}
inline Config llama_like() {
  Config c = gqa_like();
  const Config dense;
  c.num_key_value_heads = 1;
  c.n_routed_experts = c.n_shared_experts = c.num_experts_per_tok = c.first_k_dense_replace = 0;
  c.moe_intermediate_size = dense.moe_intermediate_size, c.aux_loss_alpha = dense.aux_loss_alpha;
  c.rope_scaling.type = RopeType::yarn, c.rope_scaling.factor = 4;
  c.rope_scaling.original_max_position_embeddings = 16;
  return c;
}

// The head sizes of every DeepSeek-V2 and widths of whole tiles, so that given some hundred rows the kernels
// run that real models use. Every expert is chosen, so that rounding cannot move a token to another one.
inline Config real_heads() {
  Config c = v2_like();
  c.vocab_size = 96, c.hidden_size = 64, c.num_hidden_layers = 2, c.intermediate_size = 128;
  c.num_attention_heads = 2, c.q_lora_rank = 64, c.kv_lora_rank = 512;
  c.qk_nope_head_dim = 128, c.qk_rope_head_dim = 64, c.v_head_dim = 128;
  c.n_routed_experts = c.num_experts_per_tok = 4, c.n_shared_experts = 1, c.moe_intermediate_size = 64;
  c.topk_method = TopkMethod::greedy, c.n_group = c.topk_group = 1;
  return c;
}

// The same model with adapters on every projection, of two ranks.
inline Config with_lora(Config c) {
  c.lora = lora_of(c, {.rank = 3, .alpha = 5}, "test");
  for (auto& [name, shape] : c.lora.projections)
    if (name.ends_with("kv_b_proj") || name.ends_with("down_proj")) shape = {2, 1};
  return c;
}
// B, which initialization leaves at zero, so that adapters do something. Values depend on name and index
// alone.
inline void randomize_adapters(Device& device, const Config& config, const Weights& weights,
                               const ModelPart& part = {}) {
  for (const NamedWeight& w : list_weights(config, weights, part)) {
    if (w.info.kind != WeightKind::lora_b) continue;
    const int64_t each = w.weight.data.count() / w.weight.data.shape[0];
    fill_normal(device, {.out = w.weight.data,
                         .std = 0.3,
                         .seed = 17,
                         .stream = std::hash<std::string>()(w.info.name),
                         .first = static_cast<uint64_t>(w.info.first_expert * each)});
  }
}

inline Model random_model(const Config& config, DType dtype, uint64_t seed = 1) {
  Device device = Device::cpu(1);
  Model m = make_model(device, config, dtype);
  initialize_weights(device, config, m.weights, seed);
  randomize_adapters(device, config, m.weights);
  return m;
}

// Random tokens of packed sequences with these lengths, each starting at position 0.
class RandomBatch {
 public:
  RandomBatch(const Config& c, const std::vector<int>& lengths, uint64_t seed = 7) {
    Rng rng(seed);
    starts_.push_back(0);
    for (int length : lengths) {
      for (int t = 0; t < length; ++t) {
        tokens_.push_back(static_cast<int32_t>(rng.below(static_cast<uint64_t>(c.vocab_size))));
        positions_.push_back(t);
      }
      starts_.push_back(static_cast<int32_t>(tokens_.size()));
    }
    const auto N = static_cast<int64_t>(tokens_.size());
    whole_ = {0, static_cast<int32_t>(N)};
    batch.whole = Tensor(whole_.data(), DType::i32, {2});
    batch.tokens = Tensor(tokens_.data(), DType::i32, {N});
    batch.positions = Tensor(positions_.data(), DType::i32, {N});
    batch.sequence_starts = Tensor(starts_.data(), DType::i32, {static_cast<int64_t>(starts_.size())});
  }
  RandomBatch(const RandomBatch&) = delete;

  BatchSize size() const {
    const auto N = static_cast<int64_t>(tokens_.size());
    return {N, static_cast<int64_t>(starts_.size()) - 1, N};
  }
  // The same for a model that may run on a GPU.
  HostBatch host() const {
    HostBatch host;
    host.tokens = tokens_, host.positions = positions_, host.sequence_starts = starts_;
    return host;
  }
  Batch batch;

 private:
  std::vector<int32_t> tokens_, positions_, starts_, whole_;
};

}  // namespace fathom::testing
