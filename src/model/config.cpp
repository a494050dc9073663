#include "model/config.h"

#include <filesystem>

#include "base/error.h"

namespace fathom {
namespace {

RopeScaling read_rope_scaling(const JsonObject& rope) {
  RopeScaling scaling;
  // Older files say "type", newer ones "rope_type".
  const std::string type =
      rope.optional<std::string>("rope_type", rope.optional<std::string>("type", "default"));
  if (type == "default") return scaling;
  check(type == "yarn", "{}: rope scaling type '{}' is not supported: expected yarn or default", rope.where(),
        type);
  check(!rope.has("attention_factor"), "{}: rope field 'attention_factor' is not supported: use mscale",
        rope.where());
  scaling.yarn = true;
  scaling.factor = rope.required<double>("factor");
  scaling.original_max_position_embeddings = rope.required<int64_t>("original_max_position_embeddings");
  scaling.beta_fast = rope.optional<double>("beta_fast", 32);
  scaling.beta_slow = rope.optional<double>("beta_slow", 1);
  scaling.mscale = rope.optional<double>("mscale", 1);
  scaling.mscale_all_dim = rope.optional<double>("mscale_all_dim", 0);
  return scaling;
}

TopkMethod read_topk_method(const JsonObject& o) {
  const auto method = o.optional<std::string>("topk_method", "greedy");
  if (method == "greedy" || method == "gready")
    return TopkMethod::greedy;  // early DeepSeek code spells it so
  check(method == "group_limited_greedy",
        "{}: field 'topk_method' is '{}': expected greedy or group_limited_greedy", o.where(), method);
  return TopkMethod::group_limited_greedy;
}

std::vector<int64_t> read_eos(const JsonObject& o, std::vector<int64_t> otherwise) {
  if (!o.has("eos_token_id")) return otherwise;
  if (o.json()["eos_token_id"].is_array()) return o.required<std::vector<int64_t>>("eos_token_id");
  return {o.required<int64_t>("eos_token_id")};
}

void read_attention(const JsonObject& o, Config& c) {
  c.num_attention_heads = o.required<int64_t>("num_attention_heads");
  c.q_lora_rank = o.optional<int64_t>("q_lora_rank", 0);
  c.kv_lora_rank = o.required<int64_t>("kv_lora_rank");
  c.qk_nope_head_dim = o.required<int64_t>("qk_nope_head_dim");
  c.qk_rope_head_dim = o.required<int64_t>("qk_rope_head_dim");
  c.v_head_dim = o.required<int64_t>("v_head_dim");
  c.attention_bias = o.optional<bool>("attention_bias", false);
  c.rope_theta = o.optional<double>("rope_theta", 10000);
  if (o.has("rope_parameters")) {
    const JsonObject rope = o.child("rope_parameters");
    c.rope_theta = rope.optional<double>("rope_theta", c.rope_theta);
    c.rope_scaling = read_rope_scaling(rope);
  } else if (o.has("rope_scaling")) {
    c.rope_scaling = read_rope_scaling(o.child("rope_scaling"));
  }
}

void read_moe(const JsonObject& o, Config& c) {
  c.n_routed_experts = o.optional<int64_t>("n_routed_experts", 0);
  if (c.n_routed_experts == 0) return;
  c.n_shared_experts = o.optional<int64_t>("n_shared_experts", 0);
  c.num_experts_per_tok = o.required<int64_t>("num_experts_per_tok");
  c.moe_intermediate_size = o.required<int64_t>("moe_intermediate_size");
  c.first_k_dense_replace = o.optional<int64_t>("first_k_dense_replace", 0);
  c.moe_layer_freq = o.optional<int64_t>("moe_layer_freq", 1);
  c.topk_method = read_topk_method(o);
  c.n_group = o.optional<int64_t>("n_group", 1);
  c.topk_group = o.optional<int64_t>("topk_group", 1);
  c.norm_topk_prob = o.optional<bool>("norm_topk_prob", false);
  c.routed_scaling_factor = o.optional<double>("routed_scaling_factor", 1);
  c.aux_loss_alpha = o.optional<double>("aux_loss_alpha", 0.001);
  c.seq_aux = o.optional<bool>("seq_aux", true);
  const auto scoring = o.optional<std::string>("scoring_func", "softmax");
  check(scoring == "softmax", "{}: field 'scoring_func' is '{}': DeepSeek-V2 uses softmax", o.where(),
        scoring);
}

OrderedJson rope_scaling_json(const RopeScaling& r) {
  if (!r.yarn) return nullptr;
  return {{"type", "yarn"},
          {"factor", r.factor},
          {"original_max_position_embeddings", r.original_max_position_embeddings},
          {"beta_fast", r.beta_fast},
          {"beta_slow", r.beta_slow},
          {"mscale", r.mscale},
          {"mscale_all_dim", r.mscale_all_dim}};
}

}  // namespace

int64_t Config::n_moe_layers() const {
  int64_t n = 0;
  for (int64_t layer = 0; layer < num_hidden_layers; ++layer) n += is_moe_layer(layer);
  return n;
}

Config config_from_json(const Json& json, const std::string& where) {
  const JsonObject o(json, where);
  const auto type = o.optional<std::string>("model_type", "deepseek_v2");
  check(type == "deepseek_v2", "{}: field 'model_type' is '{}': only deepseek_v2 models are supported", where,
        type);
  const auto activation = o.optional<std::string>("hidden_act", "silu");
  check(activation == "silu", "{}: field 'hidden_act' is '{}': DeepSeek-V2 uses silu", where, activation);
  check(!o.optional<bool>("mlp_bias", false), "{}: field 'mlp_bias' is true: DeepSeek-V2's MLPs have none",
        where);

  Config c;
  c.vocab_size = o.required<int64_t>("vocab_size");
  c.hidden_size = o.required<int64_t>("hidden_size");
  c.num_hidden_layers = o.required<int64_t>("num_hidden_layers");
  c.intermediate_size = o.required<int64_t>("intermediate_size");
  c.max_position_embeddings = o.optional<int64_t>("max_position_embeddings", 2048);
  read_attention(o, c);
  read_moe(o, c);
  c.rms_norm_eps = o.optional<double>("rms_norm_eps", 1e-6);
  c.initializer_range = o.optional<double>("initializer_range", 0.02);
  c.tie_word_embeddings = o.optional<bool>("tie_word_embeddings", false);
  c.bos_token_id = o.optional<int64_t>("bos_token_id", c.bos_token_id);
  c.eos_token_ids = read_eos(o, c.eos_token_ids);
  check_config(c, where);
  return c;
}

Config read_config(const std::string& path) {
  namespace fs = std::filesystem;
  const std::string file = fs::is_directory(path) ? (fs::path(path) / "config.json").string() : path;
  return config_from_json(read_json(file), file);
}

OrderedJson config_to_json(const Config& c, const std::string& dtype) {
  OrderedJson j = {
      {"architectures", {"DeepseekV2ForCausalLM"}}, {"model_type", "deepseek_v2"},
      {"attention_bias", c.attention_bias},         {"attention_dropout", 0.0},
      {"aux_loss_alpha", c.aux_loss_alpha},         {"bos_token_id", c.bos_token_id},
  };
  j["eos_token_id"] =
      c.eos_token_ids.size() == 1 ? OrderedJson(c.eos_token_ids[0]) : OrderedJson(c.eos_token_ids);
  j["first_k_dense_replace"] = c.first_k_dense_replace;
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
  j["topk_method"] = c.topk_method == TopkMethod::greedy ? "greedy" : "group_limited_greedy";
  j["torch_dtype"] = dtype;
  j["use_cache"] = true;
  j["v_head_dim"] = c.v_head_dim;
  j["vocab_size"] = c.vocab_size;
  return j;
}

}  // namespace fathom
