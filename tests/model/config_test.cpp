#include "model/config.h"

#include <gtest/gtest.h>

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
  EXPECT_TRUE(config_from_json(new_form, "new").rope_scaling.yarn);
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
  EXPECT_NE(error_with("topk_method", "noaux_tc").find("topk_method"), std::string::npos);
  EXPECT_NE(error_with("rope_scaling", {{"type", "linear"}, {"factor", 2}}).find("linear"),
            std::string::npos);
  EXPECT_NE(error_with("rope_scaling", {{"type", "yarn"}}).find("factor"), std::string::npos);
  EXPECT_NE(error_with("rms_norm_eps", -1).find("rms_norm_eps"), std::string::npos);
}

TEST(Config, ChecksTheGroups) {
  Json json = small();
  json["topk_method"] = "group_limited_greedy";
  const auto with = [&](int n_group, int topk_group, int k) {
    json["n_group"] = n_group, json["topk_group"] = topk_group, json["num_experts_per_tok"] = k;
    return error_of([&] { config_from_json(json, "c"); });
  };
  EXPECT_EQ(with(4, 2, 4), "");
  EXPECT_NE(with(3, 2, 4).find("n_group"), std::string::npos);
  EXPECT_NE(with(4, 5, 4).find("topk_group"), std::string::npos);
  EXPECT_NE(with(4, 1, 3).find("num_experts_per_tok"), std::string::npos);
}

TEST(Config, MissingFileIsNamed) {
  EXPECT_NE(error_of([] { read_config("/nonexistent/model"); }).find("/nonexistent/model"),
            std::string::npos);
}

}  // namespace
}  // namespace fathom
