#include "model/config.h"

#include <gtest/gtest.h>

#include "support/captured_log.h"
#include "support/paths.h"
#include "support/temp_dir.h"

namespace fathom {
namespace {

const std::string configs = testing::source_dir() + "/configs/";

Json small() {
  return Json::parse(
      R"({"model_type": "deepseek_v2", "vocab_size": 64, "hidden_size": 32, "num_hidden_layers": 3,
    "intermediate_size": 48, "num_attention_heads": 4, "q_lora_rank": null, "kv_lora_rank": 16,
    "qk_nope_head_dim": 8, "qk_rope_head_dim": 4, "v_head_dim": 8, "n_routed_experts": 8, "num_experts_per_tok": 2,
    "moe_intermediate_size": 16, "n_shared_experts": 1, "first_k_dense_replace": 1})");
}

std::string error_with(const std::string& key, const Json& value) {
  Json json = small();
  json[key] = value;
  return error_of([&] { config_from_json(json, "config.json"); });
}

TEST(Config, ReadsThePublishedModels) {
  const Config v2 = read_config(configs + "deepseek-v2.json");
  EXPECT_EQ(v2.q_lora_rank, 1536);
  EXPECT_EQ(v2.topk_method, TopkMethod::group_limited_greedy);
  EXPECT_EQ(v2.rope_scaling.mscale_all_dim, 0.707);
  EXPECT_EQ(v2.n_moe_layers(), 59);
  EXPECT_EQ(v2.cache_width(), 576);
  const Config lite = read_config(configs + "deepseek-v2-lite.json");
  EXPECT_EQ(lite.q_lora_rank, 0);
  EXPECT_EQ(lite.topk_method, TopkMethod::greedy);
}

TEST(Config, TheBenchmarksLayersAreThoseOfV2) {
  Config v2 = read_config(configs + "deepseek-v2.json");
  v2.num_hidden_layers = 4;
  EXPECT_EQ(read_config(testing::source_dir() + "/bench/configs/v2-layers.json"), v2);
}

TEST(Config, WrittenAndReadAgainIsTheSame) {
  for (const char* name : {"deepseek-v2.json", "deepseek-v2-lite.json"}) {
    const Config c = read_config(configs + name);
    EXPECT_EQ(config_from_json(Json::parse(config_to_json(c, "bfloat16").dump()), "again"), c) << name;
  }
  Json json = small();
  json["eos_token_id"] = {1, 5};
  json["tie_word_embeddings"] = true;
  const Config c = config_from_json(json, "small");
  EXPECT_EQ(c.eos_token_ids, (std::vector<int64_t>{1, 5}));
  EXPECT_EQ(config_from_json(Json::parse(config_to_json(c, "float32").dump()), "again"), c);
}

TEST(Config, TakesBothRopeForms) {
  Json old_form = small(), new_form = small();
  const Json yarn = {
      {"factor", 4}, {"original_max_position_embeddings", 32}, {"mscale", 0.5}, {"mscale_all_dim", 0.7}};
  old_form["rope_theta"] = 500;
  old_form["rope_scaling"] = yarn;
  old_form["rope_scaling"]["type"] = "yarn";
  new_form["rope_parameters"] = yarn;
  new_form["rope_parameters"]["rope_type"] = "yarn";
  new_form["rope_parameters"]["rope_theta"] = 500.0;
  EXPECT_EQ(config_from_json(old_form, "old"), config_from_json(new_form, "new"));
  EXPECT_EQ(config_from_json(new_form, "new").rope_scaling.type, RopeType::yarn);
  Json plain = small();
  plain["rope_parameters"] = {{"rope_type", "default"}, {"rope_theta", 10000.0}};
  EXPECT_EQ(config_from_json(plain, "plain"), config_from_json(small(), "small"));
}

TEST(Config, AcceptsTheEarlySpellingOfGreedy) {
  Json json = small();
  json["topk_method"] = "gready";
  EXPECT_EQ(config_from_json(json, "c").topk_method, TopkMethod::greedy);
}

TEST(Config, NamesTheFieldThatCannotWork) {
  EXPECT_EQ(error_of([] { config_from_json(small(), "c"); }), "");
  EXPECT_EQ(error_with("hidden_size", 0), "config.json: field 'hidden_size' is 0: expected 1 to 16777216");
  EXPECT_EQ(error_with("qk_rope_head_dim", 5),
            "config.json: field 'qk_rope_head_dim' is 5: it must be even (rotary pairs)");
  EXPECT_EQ(error_with("num_experts_per_tok", 9),
            "config.json: field 'num_experts_per_tok' is 9: expected 1 to 8");
  EXPECT_NE(error_with("hidden_size", "abc").find("hidden_size"), std::string::npos);
  EXPECT_NE(error_with("vocab_size", nullptr).find("vocab_size"), std::string::npos);
  EXPECT_NE(error_with("hidden_size", int64_t{1} << 40).find("hidden_size"), std::string::npos);
  EXPECT_NE(error_with("num_attention_heads", -4).find("num_attention_heads"), std::string::npos);
  EXPECT_NE(error_with("moe_layer_freq", 0).find("moe_layer_freq"), std::string::npos);
  EXPECT_NE(error_with("model_type", "llama").find("model_type"), std::string::npos);
  EXPECT_NE(error_with("hidden_act", "gelu").find("hidden_act"), std::string::npos);
  EXPECT_NE(error_with("scoring_func", "sigmoid").find("scoring_func"), std::string::npos);
  EXPECT_NE(error_with("topk_method", "random").find("topk_method"), std::string::npos);
  EXPECT_NE(error_with("rms_norm_eps", -1).find("rms_norm_eps"), std::string::npos);
}

// Of transformers' DeepseekV2Config 5.24 and, for what it does not have, of DeepSeek's own code.
TEST(Config, AbsentFieldsHaveTheirDefaults) {
  const Json least = {{"vocab_size", 64},        {"hidden_size", 32},        {"num_hidden_layers", 3},
                      {"intermediate_size", 48}, {"num_attention_heads", 4}, {"num_experts_per_tok", 2}};
  const Config c = config_from_json(least, "c");
  EXPECT_EQ(c.q_lora_rank, 1536);
  EXPECT_EQ(c.kv_lora_rank, 512);
  EXPECT_EQ(c.qk_nope_head_dim, 128);
  EXPECT_EQ(c.qk_rope_head_dim, 64);
  EXPECT_EQ(c.v_head_dim, 128);
  EXPECT_EQ(c.n_routed_experts, 64);
  EXPECT_EQ(c.n_shared_experts, 2);
  EXPECT_EQ(c.moe_intermediate_size, 1407);
  EXPECT_EQ(c.first_k_dense_replace, 0);
  EXPECT_EQ(c.moe_layer_freq, 1);
  EXPECT_EQ(c.topk_method, TopkMethod::greedy);
  EXPECT_FALSE(c.norm_topk_prob);
  EXPECT_EQ(c.routed_scaling_factor, 1);
  EXPECT_EQ(c.aux_loss_alpha, 0.001);
  EXPECT_TRUE(c.seq_aux);
  EXPECT_EQ(c.max_position_embeddings, 2048);
  EXPECT_EQ(c.rope_theta, 10000);
  EXPECT_EQ(c.rope_scaling, RopeScaling());
  EXPECT_EQ(c.rms_norm_eps, 1e-6);
  EXPECT_EQ(c.initializer_range, 0.02);
  EXPECT_FALSE(c.attention_bias);
  EXPECT_FALSE(c.tie_word_embeddings);
  EXPECT_EQ(c.bos_token_id, 1);
  EXPECT_EQ(c.eos_token_ids, std::vector<int64_t>{2});
  for (const auto& [key, value] : least.items()) {
    Json json = least;
    json.erase(key);
    EXPECT_EQ(error_of([&] { config_from_json(json, "c"); }), "c: field '" + key + "' is missing");
  }
}

TEST(Config, NullIsNotAbsent) {
  const auto with_null = [](const char* key) {
    Json json = small();
    json[key] = nullptr;
    return config_from_json(json, "c");
  };
  EXPECT_EQ(with_null("q_lora_rank").q_lora_rank, 0);
  EXPECT_EQ(with_null("n_routed_experts").n_routed_experts, 0);
  EXPECT_EQ(with_null("n_shared_experts").n_shared_experts, 0);
  EXPECT_EQ(with_null("bos_token_id").bos_token_id, std::nullopt);
  EXPECT_TRUE(with_null("eos_token_id").eos_token_ids.empty());
  EXPECT_FALSE(with_null("norm_topk_prob").norm_topk_prob);
  EXPECT_EQ(with_null("num_key_value_heads"), config_from_json(small(), "c"));
  for (const char* key : {"vocab_size",
                          "hidden_size",
                          "num_hidden_layers",
                          "intermediate_size",
                          "num_attention_heads",
                          "kv_lora_rank",
                          "qk_nope_head_dim",
                          "qk_rope_head_dim",
                          "v_head_dim",
                          "attention_bias",
                          "rope_theta",
                          "num_experts_per_tok",
                          "moe_intermediate_size",
                          "first_k_dense_replace",
                          "moe_layer_freq",
                          "topk_method",
                          "routed_scaling_factor",
                          "aux_loss_alpha",
                          "seq_aux",
                          "max_position_embeddings",
                          "rms_norm_eps",
                          "initializer_range",
                          "tie_word_embeddings",
                          "model_type",
                          "hidden_act",
                          "scoring_func",
                          "mlp_bias"})
    EXPECT_NE(error_with(key, nullptr).find(std::string("'") + key + "'"), std::string::npos) << key;
}

TEST(Config, WrittenAndReadAgainIsTheSameInEveryForm) {
  for (
      const char* change :
      {R"({"n_routed_experts": 0})", R"({"bos_token_id": null, "eos_token_id": null})",
       R"({"eos_token_id": [3]})", R"({"n_shared_experts": null})",
       R"({"q_lora_rank": 8, "attention_bias": true, "seq_aux": false})",
       R"({"topk_method": "noaux_tc", "n_group": 4, "topk_group": 2})",
       R"({"topk_method": "group_limited_greedy", "n_group": 4, "topk_group": 2, "norm_topk_prob": true})"}) {
    Json json = small();
    json.update(Json::parse(change));
    const Config c = config_from_json(json, "c");
    EXPECT_EQ(config_from_json(Json::parse(config_to_json(c, "float32").dump()), "again"), c) << change;
  }
  // transformers makes a dense model of it only when every layer comes before the first MoE layer.
  Json dense = small();
  dense["n_routed_experts"] = 0;
  EXPECT_EQ(config_to_json(config_from_json(dense, "c"), "float32")["first_k_dense_replace"], 3);
}

TEST(Config, WhatIsNotSupportedIsNamed) {
  EXPECT_EQ(error_with("quantization_config", {{"quant_method", "fp8"}, {"fmt", "e4m3"}}),
            "config.json: field 'quantization_config' is given (quant_method 'fp8'): quantized weights are "
            "not supported");
  EXPECT_EQ(error_with("quantization_config", nullptr), "");
  EXPECT_EQ(error_with("num_key_value_heads", 2),
            "config.json: field 'num_key_value_heads' is 2 and num_attention_heads is 4: they must be equal");
  EXPECT_EQ(error_with("num_key_value_heads", 4), "");
  EXPECT_EQ(error_with("num_experts", 16),
            "config.json: field 'num_experts' is 16: it must be equal to n_routed_experts, which is 8");
  EXPECT_EQ(error_with("num_experts", 8), "");
  EXPECT_EQ(error_with("mlp_bias", true), "config.json: field 'mlp_bias' is true: only false is supported");
  EXPECT_EQ(error_with("hidden_act", "gelu"),
            "config.json: field 'hidden_act' is 'gelu': only silu is supported");
  const testing::CapturedLog log;
  EXPECT_EQ(error_with("attention_dropout", 0.1), "");
  EXPECT_EQ(error_with("attention_dropout", 0.1), "");
  EXPECT_EQ(error_with("ep_size", 8), "");
  EXPECT_EQ(error_with("ep_size", 1), "");
  EXPECT_EQ(log.text(),
            "config.json: field 'attention_dropout' is 0.1: training has no dropout\n"
            "config.json: field 'ep_size' is 8: it is ignored, all experts are in one process\n");
}

TEST(Config, SizesThatMultiplyToTooMuchAreNamed) {
  Json json = small();
  const auto error = [&] { return error_of([&] { config_from_json(json, "c"); }); };
  json["vocab_size"] = json["hidden_size"] = 1 << 24;
  EXPECT_EQ(error(), "");
  json["n_routed_experts"] = 65536;
  EXPECT_EQ(error(), "");
  json["moe_intermediate_size"] = 1 << 24;
  EXPECT_EQ(error(),
            "c: the model is too large: 'num_hidden_layers' 3 x 'n_routed_experts' 65536 x "
            "'moe_intermediate_size' 16777216 x 'hidden_size' 16777216 is about 5.5e+19");
  json["moe_intermediate_size"] = 16;
  json["num_hidden_layers"] = json["num_attention_heads"] = json["qk_nope_head_dim"] = 4096;
  EXPECT_EQ(error(),
            "c: the model is too large: 'num_hidden_layers' 4096 x 'num_attention_heads' 4096 x "
            "'qk_nope_head_dim' 4096 x 'hidden_size' 16777216 is about 1.2e+18");
}

void expect_groups_are_checked(const char* method) {
  Json json = small();
  json["topk_method"] = method;
  const auto with = [&](int n_group, int topk_group, int k) {
    json["n_group"] = n_group, json["topk_group"] = topk_group, json["num_experts_per_tok"] = k;
    return error_of([&] { config_from_json(json, "c"); });
  };
  EXPECT_EQ(with(4, 2, 4), "");
  for (const char* key : {"n_group", "topk_group"}) {
    Json absent = json;
    absent.erase(key);
    EXPECT_EQ(error_of([&] { config_from_json(absent, "c"); }),
              std::string("c: field '") + key + "' is missing");
  }
  EXPECT_NE(with(3, 2, 4).find("n_group"), std::string::npos);
  EXPECT_NE(with(4, 5, 4).find("topk_group"), std::string::npos);
  EXPECT_NE(with(4, 1, 3).find("num_experts_per_tok"), std::string::npos);
}
TEST(Config, ChecksTheGroups) {
  expect_groups_are_checked("group_limited_greedy");
  expect_groups_are_checked("noaux_tc");
}

TEST(Config, MissingFileIsNamed) {
  EXPECT_NE(error_of([] { read_config("/nonexistent/model"); }).find("/nonexistent/model"),
            std::string::npos);
}

Json llama() {
  return Json::parse(
      R"({"model_type": "llama", "vocab_size": 64, "hidden_size": 32, "num_hidden_layers": 3, "intermediate_size": 48,
    "num_attention_heads": 4, "num_key_value_heads": 2})");
}
Json deepseek_moe() {
  Json json = llama();
  json.update(
      {{"model_type", "deepseek"}, {"n_routed_experts", 8}, {"num_experts_per_tok", 2}, {"head_dim", 12}});
  return json;
}

TEST(Config, ReadsGroupedQueryAttention) {
  const Config c = config_from_json(llama(), "config.json");
  EXPECT_FALSE(c.is_mla());
  EXPECT_EQ(c.qk_head_dim(), 8);
  EXPECT_EQ(c.v_head_dim, 8);
  EXPECT_EQ(c.cache_width(), 2 * 2 * 8);
  EXPECT_EQ(c.n_moe_layers(), 0);
  Json all_heads = llama();
  all_heads.erase("num_key_value_heads");
  EXPECT_EQ(config_from_json(all_heads, "config.json").num_key_value_heads, 4);
  const Config moe = config_from_json(deepseek_moe(), "config.json");
  EXPECT_EQ(moe.n_moe_layers(), 3);
  EXPECT_EQ(moe.n_shared_experts, 0);  // the default of DeepSeekMoE's own class
  EXPECT_EQ(moe.qk_head_dim(), 12);
}

TEST(Config, GroupedQueryAttentionWrittenAndReadAgainIsTheSame) {
  for (const Json& json : {llama(), deepseek_moe()}) {
    const Config c = config_from_json(json, "config.json");
    const OrderedJson written = config_to_json(c, "bfloat16");
    EXPECT_EQ(written["model_type"].get<std::string>(), json["model_type"].get<std::string>());
    EXPECT_FALSE(written.contains("kv_lora_rank"));
    EXPECT_EQ(config_from_json(Json::parse(written.dump()), "again"), c);
  }
  EXPECT_EQ(config_to_json(config_from_json(llama(), ""), "bfloat16")["architectures"][0],
            "LlamaForCausalLM");
}

TEST(Config, GroupedQueryAttentionNamesWhatItLacks) {
  const auto error = [](Json json, const char* key, const Json& value) {
    json[key] = value;
    return error_of([&] { config_from_json(json, "config.json"); });
  };
  EXPECT_EQ(error(llama(), "num_key_value_heads", 3),
            "config.json: field 'num_key_value_heads' is 3: it must divide num_attention_heads, 4");
  EXPECT_EQ(error(llama(), "num_key_value_heads", 0),
            "config.json: field 'num_key_value_heads' is 0: expected 1 to 4");
  EXPECT_EQ(error(llama(), "head_dim", 7),
            "config.json: field 'head_dim' is 7: it must be even (rotary pairs)");
  EXPECT_EQ(
      error(llama(), "hidden_size", 30),
      "config.json: field 'head_dim' is absent, and num_attention_heads 4 does not divide hidden_size 30");
  EXPECT_EQ(error(llama(), "attention_bias", true),
            "config.json: field 'attention_bias' is true: only false is supported with model_type 'llama'");
  EXPECT_EQ(error(llama(), "kv_lora_rank", 16),
            "config.json: field 'kv_lora_rank' is given: model_type 'llama' has no latent attention");
  EXPECT_EQ(error(llama(), "n_routed_experts", 8),
            "config.json: field 'n_routed_experts' is given: model_type 'llama' has no experts; 'deepseek' "
            "has them");
  EXPECT_EQ(error(deepseek_moe(), "routed_scaling_factor", 2),
            "config.json: field 'routed_scaling_factor' is 2: model_type 'deepseek' has none");
  EXPECT_EQ(error(llama(), "model_type", "qwen"),
            "config.json: field 'model_type' is 'qwen': expected deepseek_v2, deepseek or llama");
}

}  // namespace
}  // namespace fathom
