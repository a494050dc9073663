// Folders of adapters: written and read again, as PEFT fuses experts, and every fault named.
#include "model/adapter_folder.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "io/file.h"
#include "io/json.h"
#include "model/adapter_config.h"
#include "support/golden.h"
#include "support/small_model.h"
#include "support/temp_dir.h"
#include "tensor/compare.h"

namespace fathom::testing {
namespace {

std::string lora_dir(const std::string& name) {
  return source_dir() + "/tests/golden_lora/" + name;
}

TEST(AdapterFolder, SavedAndLoadedIsTheSame) {
  Device device = Device::cpu(1);
  for (const Config& base : {v2_like(), lite_like(), gqa_like(), llama_like()})
    for (const bool rslora : {false, true}) {
      TempDir dir;
      Config c = with_lora(base);
      c.lora.rslora = rslora;
      const Model model = random_model(c, DType::f32);
      save_adapter(device, dir / "adapter", model, "base");
      Config again = with_adapter(base, dir / "adapter");
      ASSERT_EQ(again.lora.projections.size(), c.lora.projections.size());
      for (const auto& [name, shape] : c.lora.projections) {
        const LoraShape got = again.lora.projections.at(name);
        EXPECT_EQ(got.rank, shape.rank) << name;
        EXPECT_NEAR(again.lora.scale(got), c.lora.scale(shape), 1e-12) << name;
      }
      Model loaded = make_model(device, again, DType::f32);
      load_adapter(device, again, loaded.weights, dir / "adapter");
      const auto want = list_weights(c, model.weights), got = list_weights(again, loaded.weights);
      for (size_t i = 0; i < want.size(); ++i) {
        if (!is_adapter(want[i].info.kind)) continue;
        EXPECT_EQ(relative_error(got[i].weight.data, want[i].weight.data), 0) << want[i].info.name;
      }
    }
}

// What PEFT has fused comes apart: an adapter whose B is block-diagonal as the two that it was made of.
TEST(AdapterFolder, FusedExpertsComeApart) {
  const Config c = with_adapter(read_config(golden_dir("v2_like")), lora_dir("v2_like"));
  EXPECT_EQ(c.lora.projections.at("model.layers.1.mlp.experts.gate_proj"), (LoraShape{5, 6}));
  EXPECT_EQ(c.lora.projections.at("model.layers.1.mlp.experts.up_proj"), (LoraShape{5, 6}));
  EXPECT_EQ(c.lora.projections.at("model.layers.1.mlp.experts.down_proj"), (LoraShape{4, 6}));
  EXPECT_EQ(c.lora.projections.at("model.layers.2.self_attn.kv_b_proj"), (LoraShape{3, 6}));
  EXPECT_EQ(c.lora.projections.at("model.layers.0.self_attn.o_proj"), (LoraShape{4, 10}));
  const Config lite = with_adapter(read_config(golden_dir("lite_like")), lora_dir("lite_like"));
  EXPECT_FALSE(lite.lora.projections.contains("model.layers.1.mlp.experts.up_proj"));
  EXPECT_NEAR(lite.lora.scale(lite.lora.projections.at("model.layers.1.mlp.experts.down_proj")),
              2 / std::sqrt(3), 1e-12);
}

class AdapterErrors : public ::testing::Test {
 protected:
  void SetUp() override { restore(); }
  void restore() {
    for (const char* file : {"adapter_config.json", "adapter_model.safetensors"})
      write_file(dir_ / file, read_file(lora_dir("v2_like") + "/" + file));
  }
  void set(const Json& change) {
    Json json = read_json(dir_ / "adapter_config.json");
    json.update(change);
    write_file(dir_ / "adapter_config.json", json.dump());
  }
  // The adapter's tensors without one, or with one more.
  void rewrite(const std::string& without, const std::string& with = "") {
    const SafetensorsFile file(lora_dir("v2_like") + "/adapter_model.safetensors");
    std::vector<NamedTensor> tensors;
    for (const SafetensorsEntry& e : file.tensors())
      if (e.name != without) tensors.push_back({e.name, file.tensor(e.name)});
    if (!with.empty()) tensors.push_back({with, file.tensor(file.tensors()[0].name)});
    write_safetensors(dir_ / "adapter_model.safetensors", tensors);
  }
  std::string error(const std::string& model = "v2_like") const {
    return error_of([&] { with_adapter(read_config(golden_dir(model)), dir_.path()); });
  }
  void expect_error(const std::string& what, const std::string& model = "v2_like") const {
    EXPECT_NE(error(model).find(what), std::string::npos) << error(model);
  }
  TempDir dir_;
};

TEST_F(AdapterErrors, OptionsThatAskForMoreAreRefusedByName) {
  const std::pair<Json, const char*> cases[] = {
      {{{"use_dora", true}}, "adapter_config.json: option 'use_dora' is true"},
      {{{"lora_bias", true}}, "option 'lora_bias'"},
      {{{"bias", "all"}}, "option 'bias' is \"all\""},
      {{{"fan_in_fan_out", true}}, "option 'fan_in_fan_out'"},
      {{{"layer_replication", {0, 1}}}, "option 'layer_replication'"},
      {{{"something_new", 3}}, "option 'something_new' is 3"},
      {{{"init_lora_weights", "pissa"}}, "option 'init_lora_weights' is 'pissa'"},
      {{{"modules_to_save", {"lm_head"}}}, "option 'modules_to_save' has 'lm_head'"},
      {{{"peft_type", "IA3"}}, "option 'peft_type' is 'IA3'"},
      {{{"rank_pattern", {{"(kv|q)_b_proj", 3}}}}, "has a '('"},
      {{{"r", 7}}, "the rank of"},
      {{{"lora_alpha", -1}, {"alpha_pattern", Json::object()}}, "'lora_alpha' is -1"},
      {{{"rank_pattern", {{"kv_b_proj", 3}, {"self_attn.kv_b_proj", 4}, {"mlp.experts.gate_up_proj", 5}}}},
       "two patterns"},
      {{{"target_modules", {"o_proj", "input_layernorm", "kv_b_proj", "q_proj"}}},
       ""},  // PEFT passes these by, too
      {{{"something_new", nullptr}, {"something_else", false}, {"lora_dropout", 0.1}}, ""},
  };
  for (const auto& [change, what] : cases) {
    restore();
    set(change);
    if (*what)
      expect_error(what);
    else
      EXPECT_EQ(error(), "");
  }
}

TEST_F(AdapterErrors, TensorsThatAreMissingOrOfAnotherModelAreNamed) {
  const std::string layer = "base_model.model.model.layers.1.";
  rewrite(layer + "self_attn.o_proj.lora_B.weight");
  expect_error("adapter_model.safetensors: tensor '" + layer + "self_attn.o_proj.lora_B.weight' is missing");
  rewrite(layer + "mlp.experts.base_layer.lora_B.weight");
  expect_error("tensor '" + layer + "mlp.experts.base_layer.lora_B.weight' is missing");
  rewrite("", layer + "self_attn.q_proj.lora_A.weight");
  expect_error("tensor '" + layer + "self_attn.q_proj.lora_A.weight' is not part of this model");
  rewrite("", "base_model.model.lm_head.lora_A.weight");
  expect_error("'base_model.model.lm_head.lora_A.weight' is not part of this model");
  restore();
  expect_error("is not part of this model", "llama");
  expect_error("are no adapter of 12 experts", "lite_like");
  // A target without a single tensor.
  const SafetensorsFile file(lora_dir("v2_like") + "/adapter_model.safetensors");
  std::vector<NamedTensor> tensors;
  for (const SafetensorsEntry& e : file.tensors())
    if (e.name.find("layers.2.self_attn.kv_b_proj") == std::string::npos)
      tensors.push_back({e.name, file.tensor(e.name)});
  write_safetensors(dir_ / "adapter_model.safetensors", tensors);
  expect_error("'model.layers.2.self_attn.kv_b_proj' is a target, and ");
  set({{"layers_to_transform", {0, 1}}});
  EXPECT_EQ(error(), "");
}

TEST_F(AdapterErrors, WhatIsNoAdapterIsAnError) {
  std::filesystem::remove(dir_ / "adapter_model.safetensors");
  expect_error("adapter_model.safetensors");
  write_file(dir_ / "adapter_model.bin", "pickle");
  expect_error("adapter_model.bin: only adapters in adapter_model.safetensors are read");
  std::filesystem::remove(dir_ / "adapter_config.json");
  expect_error("adapter_config.json");
}

TEST(AdapterConfig, PatternsMeanWhatPeftMeans) {
  const std::string name = "model.layers.1.mlp.experts.gate_up_proj";
  for (const char* pattern : {"gate_up_proj", "experts.gate_up_proj", ".*\\.gate_up_proj", "mlp.*proj",
                              "model.layers.1.*", "^model.layers.1.mlp.experts.gate_up_proj"})
    EXPECT_TRUE(matches_pattern(pattern, name, "test")) << pattern;
  for (const char* pattern :
       {"up_proj", "gate_up_pro", "xperts.gate_up_proj", "^layers.1.*", "", "gate_up_proj.", ".*q_proj"})
    EXPECT_FALSE(matches_pattern(pattern, name, "test")) << pattern;
  for (const char* pattern : {"[qv]_proj", "q_proj|v_proj", "\\d", "a+", "a{2}", "(a)", "a$", "a*"})
    EXPECT_NE(error_of([&] { matches_pattern(pattern, name, "test"); }).find("are understood"),
              std::string::npos)
        << pattern;
}

}  // namespace
}  // namespace fathom::testing
