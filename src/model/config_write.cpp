// The config.json of a model, in the form of the Hugging Face class that it loads in.
#include "model/config_fields.h"

namespace fathom {
namespace {

OrderedJson eos_json(const std::vector<int64_t>& ids) {
  if (ids.empty()) return nullptr;
  return ids.size() == 1 ? OrderedJson(ids[0]) : OrderedJson(ids);
}

// Llama's fields, or with experts those of DeepSeekMoE, in place of DeepSeek-V2's.
void take_grouped_form(const Config& c, OrderedJson& j) {
  const bool moe = c.n_routed_experts > 0;
  j["architectures"] = {moe ? "DeepseekForCausalLM" : "LlamaForCausalLM"};
  j["model_type"] = moe ? "deepseek" : "llama";
  j["num_key_value_heads"] = c.num_key_value_heads;
  j["head_dim"] = c.qk_head_dim();
  for (const char* key : {"kv_lora_rank", "q_lora_rank", "qk_nope_head_dim", "qk_rope_head_dim", "v_head_dim",
                          "n_group", "topk_group", "topk_method", "routed_scaling_factor"})
    j.erase(key);
  if (moe) return;
  for (const char* key : {"aux_loss_alpha", "first_k_dense_replace", "moe_intermediate_size",
                          "moe_layer_freq", "n_routed_experts", "n_shared_experts", "norm_topk_prob",
                          "num_experts_per_tok", "scoring_func", "seq_aux"})
    j.erase(key);
}

}  // namespace

OrderedJson config_to_json(const Config& c, const std::string& dtype) {
  OrderedJson j = {
      {"architectures", {"DeepseekV2ForCausalLM"}}, {"model_type", "deepseek_v2"},
      {"attention_bias", c.attention_bias},         {"attention_dropout", 0.0},
      {"aux_loss_alpha", c.aux_loss_alpha},
  };
  j["bos_token_id"] = c.bos_token_id ? OrderedJson(*c.bos_token_id) : OrderedJson(nullptr);
  j["eos_token_id"] = eos_json(c.eos_token_ids);
  // transformers has no word for a dense model but that every layer comes before the first MoE layer.
  j["first_k_dense_replace"] = c.n_routed_experts ? c.first_k_dense_replace : c.num_hidden_layers;
  j["hidden_act"] = "silu";
  j["hidden_size"] = c.hidden_size;
  j["initializer_range"] = c.initializer_range;
  j["intermediate_size"] = c.intermediate_size;
  j["kv_lora_rank"] = c.kv_lora_rank;
  j["max_position_embeddings"] = c.max_position_embeddings;
  j["moe_intermediate_size"] = c.moe_intermediate_size;
  j["moe_layer_freq"] = c.moe_layer_freq;
  j["n_group"] = c.n_group;
  j["n_routed_experts"] = c.n_routed_experts;
  j["n_shared_experts"] = c.n_shared_experts;
  j["norm_topk_prob"] = c.norm_topk_prob;
  j["num_attention_heads"] = c.num_attention_heads;
  j["num_experts_per_tok"] = c.num_experts_per_tok;
  j["num_hidden_layers"] = c.num_hidden_layers;
  j["num_key_value_heads"] = c.num_attention_heads;
  j["q_lora_rank"] = c.q_lora_rank ? OrderedJson(c.q_lora_rank) : OrderedJson(nullptr);
  j["qk_nope_head_dim"] = c.qk_nope_head_dim;
  j["qk_rope_head_dim"] = c.qk_rope_head_dim;
  j["rms_norm_eps"] = c.rms_norm_eps;
  j["rope_scaling"] = rope_scaling_json(c.rope_scaling);
  j["rope_theta"] = c.rope_theta;
  j["routed_scaling_factor"] = c.routed_scaling_factor;
  j["scoring_func"] = "softmax";
  j["seq_aux"] = c.seq_aux;
  j["tie_word_embeddings"] = c.tie_word_embeddings;
  j["topk_group"] = c.topk_group;
  j["topk_method"] = name_of(c.topk_method);
  j["torch_dtype"] = dtype;
  j["use_cache"] = true;
  j["v_head_dim"] = c.v_head_dim;
  j["vocab_size"] = c.vocab_size;
  if (!c.is_mla()) take_grouped_form(c, j);
  if (c.has_score_head()) write_score_head(c, j);
  return j;
}

}  // namespace fathom
