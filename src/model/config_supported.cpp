// Fields of config.json that would change the results and that fathom has no code for, unless they say what
// it does.
#include "base/error.h"
#include "base/log.h"
#include "model/config_fields.h"

namespace fathom {
namespace {

void expect_text(const JsonObject& config, const char* key, const char* expected) {
  const auto value = config.defaulted<std::string>(key, expected);
  check(value == expected, "{}: field '{}' is '{}': only {} is supported", config.where(), key, value,
        expected);
}

// Weights that are stored in fewer bits come with scales, under names that this model lacks.
void check_quantization(const JsonObject& config) {
  for (const char* key : {"quantization_config", "compression_config"}) {
    if (!config.has(key)) continue;
    const Json& value = config.json()[key];
    std::string method;
    if (value.is_object() && value.contains("quant_method") && value["quant_method"].is_string())
      method = fmt::format(" (quant_method '{}')", value["quant_method"].get<std::string>());
    fail("{}: field '{}' is given{}: quantized weights are not supported", config.where(), key, method);
  }
}

void check_shape(const JsonObject& config) {
  const auto heads = config.optional<int64_t>("num_attention_heads", 0);
  const auto kv_heads = config.optional<int64_t>("num_key_value_heads", heads);
  check(kv_heads == heads || has_grouped_attention(config),
        "{}: field 'num_key_value_heads' is {} and num_attention_heads is {}: they must be equal",
        config.where(), kv_heads, heads);
  // transformers' other name for n_routed_experts.
  const auto experts = config.optional<int64_t>("num_experts", 0);
  check(!config.has("num_experts") || experts == config.optional<int64_t>("n_routed_experts", -1),
        "{}: field 'num_experts' is {}: it must be equal to n_routed_experts, which is {}", config.where(),
        experts, config.has("n_routed_experts") ? config.json()["n_routed_experts"].dump() : "absent");
}

// What the classes of grouped-query attention do not have: a model with it would not load there.
void check_grouped(const JsonObject& config) {
  const auto type = config.defaulted<std::string>("model_type", "");
  check(!config.defaulted<bool>("attention_bias", false),
        "{}: field 'attention_bias' is true: only false is supported with model_type '{}'", config.where(),
        type);
  const auto absent = [&](std::initializer_list<const char*> keys, const char* what) {
    for (const char* key : keys)
      check(!config.has(key), "{}: field '{}' is given: model_type '{}' has no {}", config.where(), key, type,
            what);
  };
  absent({"kv_lora_rank", "q_lora_rank", "qk_nope_head_dim", "qk_rope_head_dim", "v_head_dim"},
         "latent attention");
  if (type == "llama") return absent({"n_routed_experts", "num_experts"}, "experts; 'deepseek' has them");
  expect_text(config, "topk_method", "greedy");
  const auto factor = config.optional<double>("routed_scaling_factor", 1);
  check(factor == 1, "{}: field 'routed_scaling_factor' is {}: model_type '{}' has none", config.where(),
        factor, type);
}

}  // namespace

bool has_grouped_attention(const JsonObject& config) {
  const auto type = config.defaulted<std::string>("model_type", "deepseek_v2");
  check(type == "deepseek_v2" || type == "deepseek" || type == "llama",
        "{}: field 'model_type' is '{}': expected deepseek_v2, deepseek or llama", config.where(), type);
  return type != "deepseek_v2";
}

void check_supported(const JsonObject& config) {
  if (has_grouped_attention(config)) check_grouped(config);
  expect_text(config, "hidden_act", "silu");
  expect_text(config, "scoring_func", "softmax");
  check(!config.defaulted<bool>("mlp_bias", false), "{}: field 'mlp_bias' is true: only false is supported",
        config.where());
  check_quantization(config);
  check_shape(config);
  const auto dropout = config.optional<double>("attention_dropout", 0);
  if (dropout != 0)
    log::warn_once(
        fmt::format("{}: field 'attention_dropout' is {}: training has no dropout", config.where(), dropout));
  const auto ep_size = config.optional<int64_t>("ep_size", 1);
  if (ep_size != 1)
    log::warn_once(fmt::format("{}: field 'ep_size' is {}: it is ignored, all experts are in one process",
                               config.where(), ep_size));
}

}  // namespace fathom
