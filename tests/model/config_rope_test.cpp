// Rotary fields of config.json against what Hugging Face transformers 5.24 makes of them: inv_freq and
// attention_scaling of DeepseekV2RotaryEmbedding, and yarn_apply_mscale of 1/4, for heads of 8 + 8.
#include <gmock/gmock.h>

#include "model/config.h"
#include "model/yarn.h"
#include "support/captured_log.h"
#include "support/temp_dir.h"

namespace fathom {
namespace {

using ::testing::HasSubstr;

Json with(const Json& rope) {
  Json json = {{"vocab_size", 64},        {"hidden_size", 32},      {"num_hidden_layers", 1},
               {"intermediate_size", 48}, {"q_lora_rank", nullptr}, {"num_attention_heads", 4},
               {"kv_lora_rank", 16},      {"qk_nope_head_dim", 8},  {"qk_rope_head_dim", 8},
               {"v_head_dim", 8},         {"n_routed_experts", 0},  {"max_position_embeddings", 4096}};
  json.update(rope);
  return json;
}

struct Row {
  const char* rope;
  std::vector<double> inv_freq;
  double cos_sin_factor, softmax_scale;
};

const std::vector<double> plain = {1, 0.1, 0.01, 0.001};
const std::vector<double> stretched = {1, 0.05625, 0.00125, 0.000125};  // factor 8 from 512
const std::vector<double> sharp = {1, 0.0654650778, 0.00125,
                                   0.000125};  // the same without rounding the limits
constexpr double m8 = 1.20794415;              // 0.1 ln 8 + 1

const std::vector<Row> rows = {
    {R"({})", plain, 1, 0.25},
    {R"({"rope_theta": 777})", {1, 0.18940644, 0.0358747989, 0.00679491833}, 1, 0.25},
    {R"({"rope_scaling": {"type": "yarn", "factor": 8, "original_max_position_embeddings": 512}})", stretched,
     m8, 0.25},
    // attention_factor stands in place of the mscales for cos and sin; mscale_all_dim still scales the
    // softmax.
    {R"({"rope_scaling": {"type": "yarn", "factor": 8, "original_max_position_embeddings": 512, "attention_factor": 1.5}})",
     stretched, 1.5, 0.25},
    {R"({"rope_scaling": {"type": "yarn", "factor": 8, "original_max_position_embeddings": 512, "attention_factor": 1.5,
        "mscale": 0.5, "mscale_all_dim": 0.7}})",
     stretched, 1.5, 0.328077448},
    {R"({"rope_scaling": {"type": "yarn", "factor": 8, "original_max_position_embeddings": 512, "attention_factor": null,
        "mscale": 0.5, "mscale_all_dim": 0.7}})",
     stretched, 0.963695662, 0.328077448},
    {R"({"rope_scaling": {"type": "yarn", "factor": 8, "original_max_position_embeddings": 512, "attention_factor": 0}})",
     stretched, 0, 0.25},
    // One mscale without the other does not count for cos and sin.
    {R"({"rope_scaling": {"type": "yarn", "factor": 8, "original_max_position_embeddings": 512, "mscale": 0.5}})",
     stretched, m8, 0.25},
    {R"({"rope_scaling": {"type": "yarn", "factor": 8, "original_max_position_embeddings": 512, "mscale_all_dim": 0.5}})",
     stretched, m8, 0.304688587},
    {R"({"rope_scaling": {"type": "yarn", "factor": 8, "original_max_position_embeddings": 512, "mscale": 0,
        "mscale_all_dim": 0.5}})",
     stretched, m8, 0.304688587},
    {R"({"rope_scaling": {"type": "yarn", "factor": 0.5, "original_max_position_embeddings": 512, "mscale": 1,
        "mscale_all_dim": 0.5}})",
     {1, 0.15, 0.02, 0.002},
     1,
     0.25},
    // A null factor is max_position_embeddings over the original length, which is that itself when it is
    // absent.
    {R"({"rope_scaling": {"type": "yarn", "factor": null, "original_max_position_embeddings": 512}})",
     stretched, m8, 0.25},
    {R"({"rope_scaling": {"type": "yarn", "factor": 8}})", {1, 0.1, 0.005625, 0.000125}, m8, 0.25},
    {R"({"rope_scaling": {"type": "yarn", "factor": 8, "original_max_position_embeddings": 512, "truncate": false},
        "original_max_position_embeddings": 64})",
     {1, 0.0131944576, 0.00125, 0.000125},
     m8,
     0.25},
    {R"({"rope_scaling": {"type": "yarn", "factor": 8, "original_max_position_embeddings": 512, "truncate": false}})",
     sharp, m8, 0.25},
    {R"({"rope_scaling": {"type": "yarn", "factor": 8, "original_max_position_embeddings": 512, "truncate": null}})",
     sharp, m8, 0.25},
    {R"({"rope_scaling": {"type": "yarn", "factor": 8, "original_max_position_embeddings": 512, "beta_fast": null,
        "beta_slow": 0}})",
     stretched, m8, 0.25},
    {R"({"rope_scaling": {"type": "yarn", "factor": 8, "original_max_position_embeddings": 512, "beta_fast": 4,
        "beta_slow": 2}})",
     {1, 0.1, 0.00125, 0.000125},
     m8,
     0.25},
    {R"({"rope_scaling": {"type": "yarn", "factor": 8, "original_max_position_embeddings": 512, "beta_fast": 1,
        "beta_slow": 32, "truncate": false}})",
     {0.125, 0.0470349193, 0.01, 0.001},
     m8,
     0.25},
    {R"({"rope_scaling": {"type": "yarn", "factor": 8, "original_max_position_embeddings": 512, "beta_fast": 32,
        "beta_slow": 32}})",
     {1, 0.0125, 0.00125, 0.000125},
     m8,
     0.25},
    {R"({"rope_scaling": {"type": "linear", "factor": 4}})", {0.25, 0.025, 0.0025, 0.00025}, 1, 0.25},
    {R"({"rope_scaling": {"type": "linear", "factor": 4, "mscale_all_dim": 1}})",
     {0.25, 0.025, 0.0025, 0.00025},
     1,
     0.324119248},
    {R"({"rope_scaling": {"rope_type": "default", "factor": 4, "mscale_all_dim": 1}})", plain, 1, 0.25},
    // Newer and older name of the type: the newer one wins.
    {R"({"rope_scaling": {"type": "yarn", "factor": 8, "rope_type": "default"}})", plain, 1, 0.25},
    // rope_theta inside wins over the one outside.
    {R"({"rope_scaling": {"type": "yarn", "factor": 8, "original_max_position_embeddings": 512, "rope_theta": 50000},
        "rope_theta": 10000})",
     {1, 0.0376166441, 0.000559017004, 3.73837211e-05},
     m8,
     0.25},
    {R"({"rope_scaling": {"rope_type": "default", "rope_theta": 777}})",
     {1, 0.18940644, 0.0358747989, 0.00679491833},
     1,
     0.25},
    {R"({"rope_parameters": {"rope_type": "default", "rope_theta": 777}, "rope_theta": 10000})",
     {1, 0.18940644, 0.0358747989, 0.00679491833},
     1,
     0.25},
    {R"({"rope_parameters": {"rope_type": "default"}, "rope_theta": 777})",
     {1, 0.18940644, 0.0358747989, 0.00679491833},
     1,
     0.25},
    // rope_scaling wins over rope_parameters, with its rope_theta too, unless it is empty.
    {R"({"rope_scaling": {"type": "yarn", "factor": 8, "original_max_position_embeddings": 512},
        "rope_parameters": {"rope_type": "default", "rope_theta": 777}})",
     stretched, m8, 0.25},
    {R"({"rope_scaling": {}, "rope_parameters": {"rope_type": "default", "rope_theta": 777}})",
     {1, 0.18940644, 0.0358747989, 0.00679491833},
     1,
     0.25},
    {R"({"rope_scaling": null, "rope_parameters": {"rope_type": "default", "rope_theta": 777}})",
     {1, 0.18940644, 0.0358747989, 0.00679491833},
     1,
     0.25},
};

TEST(ConfigRope, IsReadAsTransformersDoes) {
  for (const Row& row : rows) {
    const testing::CapturedLog log;
    const Config c = config_from_json(with(Json::parse(row.rope)), "rope");
    const RopeParameters p = rope_parameters(c);
    ASSERT_EQ(p.inv_freq.size(), row.inv_freq.size());
    for (size_t i = 0; i < p.inv_freq.size(); ++i)
      EXPECT_NEAR(p.inv_freq[i], row.inv_freq[i], 5e-7 * row.inv_freq[i]) << row.rope;
    EXPECT_NEAR(p.cos_sin_factor, row.cos_sin_factor, 1e-8) << row.rope;
    EXPECT_NEAR(p.softmax_scale, row.softmax_scale, 1e-8) << row.rope;
  }
}

TEST(ConfigRope, WrittenAndReadAgainIsTheSame) {
  for (const Row& row : rows) {
    const testing::CapturedLog log;
    const Config c = config_from_json(with(Json::parse(row.rope)), "rope");
    EXPECT_EQ(config_from_json(Json::parse(config_to_json(c, "float32").dump()), "again"), c) << row.rope;
  }
}

// What is said of a config under a name of its own, for each text is said only once.
std::string said(const std::string& name, const char* rope) {
  const testing::CapturedLog log;
  config_from_json(with(Json::parse(rope)), name);
  config_from_json(with(Json::parse(rope)), name);
  return log.text();
}

TEST(ConfigRope, WhatIsIgnoredIsSaidOnce) {
  EXPECT_EQ(
      said("both", R"({"rope_scaling": {"type": "yarn", "factor": 8, "original_max_position_embeddings": 512},
                             "rope_parameters": {"rope_type": "default", "rope_theta": 777}})"),
      "both: rope_scaling and rope_parameters differ: rope_scaling counts, rope_parameters is ignored\n");
  EXPECT_EQ(said("equal", R"({"rope_theta": 500, "rope_scaling": {"type": "linear", "factor": 2},
                              "rope_parameters": {"rope_type": "linear", "factor": 2.0, "rope_theta": 500.0}})"),
            "");
  EXPECT_EQ(
      said("theta", R"({"rope_theta": 500, "rope_parameters": {"rope_type": "default", "rope_theta": 777}})"),
      "theta: rope_theta is 500 and rope_parameters.rope_theta is 777: 777 counts\n");
  EXPECT_EQ(said("length",
                 R"({"rope_scaling": {"type": "yarn", "factor": 8, "original_max_position_embeddings": 512},
                               "original_max_position_embeddings": 64})"),
            "length: original_max_position_embeddings is 64 and "
            "rope_scaling.original_max_position_embeddings is 512: "
            "64 counts\n");
  EXPECT_EQ(said("plain", R"({"rope_scaling": {"type": "default", "factor": 8}})"),
            "plain: field 'rope_scaling.factor' has no effect with rope type 'default'\n");
  EXPECT_EQ(said("linear", R"({"rope_scaling": {"type": "linear", "factor": 8, "attention_factor": 2.0}})"),
            "linear: field 'rope_scaling.attention_factor' has no effect with rope type 'linear'\n");
  EXPECT_EQ(said("mscale", R"({"rope_scaling": {"type": "yarn", "factor": 8, "mscale": 0.7}})"),
            "mscale: field 'rope_scaling.mscale' has no effect without mscale_all_dim\n");
  EXPECT_EQ(
      said("usual", R"({"rope_scaling": {"type": "yarn", "factor": 8, "original_max_position_embeddings": 512,
      "beta_fast": 32, "beta_slow": 1, "mscale": 0.7, "mscale_all_dim": 0.7, "rope_type": "yarn", "rope_theta": 9}})"),
      "");
}

TEST(ConfigRope, WhatIsNotSupportedIsAnError) {
  const auto error = [](const char* rope) {
    return error_of([&] { config_from_json(with(Json::parse(rope)), "c"); });
  };
  for (const char* type : {"dynamic", "longrope", "llama3", "su", "proportional"})
    EXPECT_EQ(
        error(fmt::format(R"({{"rope_scaling": {{"rope_type": "{}", "factor": 8}}}})", type).c_str()),
        fmt::format(
            "c: rope type '{}' of field 'rope_scaling' is not supported: expected default, linear or yarn",
            type));
  EXPECT_EQ(error(R"({"rope_scaling": {"type": "yarn", "original_max_position_embeddings": 512}})"),
            "c: field 'rope_scaling.factor' is missing");
  EXPECT_EQ(error(R"({"rope_scaling": {"type": "yarn", "factor": null, "mscale_all_dim": 1}})"),
            "c: field 'rope_scaling.factor' is null");
  EXPECT_EQ(error(R"({"rope_parameters": {"type": "linear"}})"),
            "c: field 'rope_parameters.factor' is missing");
  EXPECT_THAT(error(R"({"rope_scaling": {"type": "yarn", "factor": "8"}})"),
              HasSubstr("rope_scaling.factor"));
  EXPECT_THAT(error(R"({"rope_scaling": {"type": "yarn", "factor": -1}})"), HasSubstr("rope_scaling.factor"));
  EXPECT_THAT(
      error(R"({"rope_scaling": {"type": "yarn", "factor": 8, "original_max_position_embeddings": null}})"),
      HasSubstr("rope_scaling.original_max_position_embeddings"));
  EXPECT_THAT(
      error(R"({"rope_scaling": {"type": "yarn", "factor": 8, "original_max_position_embeddings": 0}})"),
      HasSubstr("rope_scaling.original_max_position_embeddings"));
  EXPECT_THAT(error(R"({"rope_scaling": {"type": "yarn", "factor": 8, "attention_factor": -1.0}})"),
              HasSubstr("rope_scaling.attention_factor"));
  EXPECT_THAT(error(R"({"rope_scaling": {"type": "yarn", "factor": 8, "rope_theta": 1}})"),
              HasSubstr("rope_theta"));
  EXPECT_THAT(error(R"({"rope_scaling": {"type": "default", "partial_rotary_factor": 0.5}})"),
              HasSubstr("rope_scaling.partial_rotary_factor"));
  EXPECT_THAT(error(R"({"partial_rotary_factor": 0.5})"), HasSubstr("partial_rotary_factor"));
  EXPECT_THAT(error(R"({"rope_theta": null})"), HasSubstr("rope_theta"));
  EXPECT_THAT(error(R"({"rope_scaling": "yarn"})"), HasSubstr("rope_scaling"));
}

}  // namespace
}  // namespace fathom
