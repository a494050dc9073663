#include "model/config.h"

#include <filesystem>

#include "base/error.h"
#include "io/descriptor.h"
#include "model/config_fields.h"

namespace fathom {

const char* name_of(TopkMethod method) {
  if (method == TopkMethod::noaux_tc) return "noaux_tc";
  return method == TopkMethod::greedy ? "greedy" : "group_limited_greedy";
}

namespace {

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

// Heads of one rotary part, as Llama has them.
void read_grouped_attention(const JsonObject& o, Config& c) {
  c.kv_lora_rank = c.qk_nope_head_dim = 0;
  c.num_key_value_heads = o.optional<int64_t>("num_key_value_heads", c.num_attention_heads);
  check(c.num_key_value_heads > 0, "{}: field 'num_key_value_heads' is {}: expected 1 to {}", o.where(),
        c.num_key_value_heads, c.num_attention_heads);
  check(o.has("head_dim") || (c.num_attention_heads > 0 && c.hidden_size % c.num_attention_heads == 0),
        "{}: field 'head_dim' is absent, and num_attention_heads {} does not divide hidden_size {}",
        o.where(), c.num_attention_heads, c.hidden_size);
  c.qk_rope_head_dim = c.v_head_dim =
      o.has("head_dim") ? o.required<int64_t>("head_dim") : c.hidden_size / c.num_attention_heads;
}

void read_latent_attention(const JsonObject& o, Config& c) {
  c.q_lora_rank = read_nullable(o, "q_lora_rank", 1536, 0);
  c.kv_lora_rank = o.defaulted<int64_t>("kv_lora_rank", 512);
  c.qk_nope_head_dim = o.defaulted<int64_t>("qk_nope_head_dim", 128);
  c.qk_rope_head_dim = o.defaulted<int64_t>("qk_rope_head_dim", 64);
  c.v_head_dim = o.defaulted<int64_t>("v_head_dim", 128);
  c.attention_bias = o.defaulted<bool>("attention_bias", false);
}

void read_attention(const JsonObject& o, Config& c) {
  c.num_attention_heads = o.required<int64_t>("num_attention_heads");
  if (has_grouped_attention(o))
    read_grouped_attention(o, c);
  else
    read_latent_attention(o, c);
  read_rope(o, c);
}

void read_moe(const JsonObject& o, Config& c) {
  const bool v2 = !has_grouped_attention(o);
  c.n_routed_experts = read_nullable(o, "n_routed_experts", v2 ? 64 : 0, 0);  // DeepSeek's code: null is none
  if (c.n_routed_experts == 0) return;
  c.n_shared_experts = read_nullable(o, "n_shared_experts", v2 ? 2 : 0, 0);
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
  read_score_head(o, c);
  check_config(c, where);
  return c;
}

Config without_adapters(const Config& config) {
  Config base = config;
  base.lora = {};
  return base;
}

std::string config_file(const std::string& path) {
  return std::filesystem::is_directory(path) ? file_in(path, "config.json") : path;
}

Config read_config(const std::string& path) {
  const std::string file = config_file(path);
  return config_from_json(read_json(file), file);
}

}  // namespace fathom
