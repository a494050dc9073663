#include "model/config.h"

#include <filesystem>

#include "base/error.h"
#include "io/descriptor.h"
#include "model/config_fields.h"

namespace fathom {
namespace {

const char* name_of(TopkMethod method) {
  if (method == TopkMethod::noaux_tc) return "noaux_tc";
  return method == TopkMethod::greedy ? "greedy" : "group_limited_greedy";
}

TopkMethod read_topk_method(const JsonObject& o) {
  const auto method = o.defaulted<std::string>("topk_method", "greedy");
  if (method == "gready") return TopkMethod::greedy;  // early DeepSeek code spells it so
  for (const TopkMethod known : {TopkMethod::greedy, TopkMethod::group_limited_greedy, TopkMethod::noaux_tc})
    if (method == name_of(known)) return known;
  fail("{}: field 'topk_method' is '{}': expected greedy, group_limited_greedy or noaux_tc", o.where(),
       method);
}

// Three values: absent, null and a number.
int64_t read_nullable(const JsonObject& o, const char* key, int64_t absent, int64_t null) {
  return o.contains(key) ? o.optional<int64_t>(key, null) : absent;
}

void read_special_tokens(const JsonObject& o, Config& c) {
  if (o.contains("bos_token_id")) c.bos_token_id.reset();
  if (o.has("bos_token_id")) c.bos_token_id = o.required<int64_t>("bos_token_id");
  if (o.contains("eos_token_id")) c.eos_token_ids.clear();
  if (!o.has("eos_token_id")) return;
  if (o.json()["eos_token_id"].is_array())
    c.eos_token_ids = o.required<std::vector<int64_t>>("eos_token_id");
  else
    c.eos_token_ids = {o.required<int64_t>("eos_token_id")};
}

void read_attention(const JsonObject& o, Config& c) {
  c.num_attention_heads = o.required<int64_t>("num_attention_heads");
  c.q_lora_rank = read_nullable(o, "q_lora_rank", 1536, 0);
  c.kv_lora_rank = o.defaulted<int64_t>("kv_lora_rank", 512);
  c.qk_nope_head_dim = o.defaulted<int64_t>("qk_nope_head_dim", 128);
  c.qk_rope_head_dim = o.defaulted<int64_t>("qk_rope_head_dim", 64);
  c.v_head_dim = o.defaulted<int64_t>("v_head_dim", 128);
  c.attention_bias = o.defaulted<bool>("attention_bias", false);
  read_rope(o, c);
}

void read_moe(const JsonObject& o, Config& c) {
  c.n_routed_experts = read_nullable(o, "n_routed_experts", 64, 0);  // DeepSeek's code takes null as none
  if (c.n_routed_experts == 0) return;
  c.n_shared_experts = read_nullable(o, "n_shared_experts", 2, 0);
  c.num_experts_per_tok = o.required<int64_t>("num_experts_per_tok");
  c.moe_intermediate_size = o.defaulted<int64_t>("moe_intermediate_size", 1407);
  c.first_k_dense_replace = o.defaulted<int64_t>("first_k_dense_replace", 0);
  c.moe_layer_freq = o.defaulted<int64_t>("moe_layer_freq", 1);
  c.topk_method = read_topk_method(o);
  if (c.topk_method != TopkMethod::greedy) {
    c.n_group = o.required<int64_t>("n_group");
    c.topk_group = o.required<int64_t>("topk_group");
  }
  c.norm_topk_prob = o.optional<bool>("norm_topk_prob", false);
  c.routed_scaling_factor = o.defaulted<double>("routed_scaling_factor", 1);
  c.aux_loss_alpha = o.defaulted<double>("aux_loss_alpha", 0.001);
  c.seq_aux = o.defaulted<bool>("seq_aux", true);
}

OrderedJson eos_json(const std::vector<int64_t>& ids) {
  if (ids.empty()) return nullptr;
  return ids.size() == 1 ? OrderedJson(ids[0]) : OrderedJson(ids);
}

}  // namespace

int64_t Config::n_moe_layers() const {
  int64_t n = 0;
  for (int64_t layer = 0; layer < num_hidden_layers; ++layer) n += is_moe_layer(layer);
  return n;
}

Config config_from_json(const Json& json, const std::string& where) {
  const JsonObject o(json, where);
  check_supported(o);
  Config c;
  c.vocab_size = o.required<int64_t>("vocab_size");
  c.hidden_size = o.required<int64_t>("hidden_size");
  c.num_hidden_layers = o.required<int64_t>("num_hidden_layers");
  c.intermediate_size = o.required<int64_t>("intermediate_size");
  c.max_position_embeddings = o.defaulted<int64_t>("max_position_embeddings", 2048);
  read_attention(o, c);
  read_moe(o, c);
  c.rms_norm_eps = o.defaulted<double>("rms_norm_eps", 1e-6);
  c.initializer_range = o.defaulted<double>("initializer_range", 0.02);
  c.tie_word_embeddings = o.defaulted<bool>("tie_word_embeddings", false);
  read_special_tokens(o, c);
  check_config(c, where);
  return c;
}

std::string config_file(const std::string& path) {
  return std::filesystem::is_directory(path) ? file_in(path, "config.json") : path;
}

Config read_config(const std::string& path) {
  const std::string file = config_file(path);
  return config_from_json(read_json(file), file);
}

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
  return j;
}

}  // namespace fathom
