// Adapters beside projections: what PEFT computes of them (tools/make_lora_golden.py), what is trained,
// merging, and their folders. That gradients are right and that absorption, recomputation, stages and ranks
// change nothing, gradient_test, parity_test, deferred_test and expert_exchange_ranks_test show.
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "io/json.h"
#include "model/adapter_config.h"
#include "model/adapter_folder.h"
#include "model/head.h"
#include "model/merge_adapters.h"
#include "model/token_loss.h"
#include "model/verify_tolerance.h"
#include "ops/cross_entropy.h"
#include "support/golden.h"
#include "support/gpus.h"
#include "support/peer.h"
#include "support/small_model.h"
#include "support/temp_dir.h"
#include "tensor/compare.h"
#include "tensor/memory.h"

namespace fathom::testing {
namespace {

std::string lora_dir(const std::string& name) {
  return source_dir() + "/tests/golden_lora/" + name;
}

// The sequences of a golden file through a model: logits and, on request, gradients.
class GoldenRun {
 public:
  GoldenRun(Device& device, const Model& model, const SafetensorsFile& golden)
      : device_(device),
        model_(model),
        ids_(golden.read_ints("input_ids")),
        memory_("test", int64_t{64} << 20, device) {
    const ConstTensor ids = golden.entry("input_ids")->view;
    const int64_t B = ids.shape[0], T = ids.shape[1];
    host_.sequence_starts = {0};
    for (int64_t b = 0; b < B; ++b) {
      for (int64_t t = 0; t < T; ++t) {
        host_.positions.push_back(static_cast<int32_t>(t));
        targets_.push_back(t + 1 < T ? ids_[static_cast<size_t>(b * T + t + 1)] : CrossEntropy::ignore);
      }
      host_.sequence_starts.push_back(static_cast<int32_t>((b + 1) * T));
    }
    host_.tokens = ids_;
    scale_ = 1 / static_cast<double>(B * (T - 1));
  }

  std::vector<float> logits() {
    const Tensor hidden = forward();
    const Tensor logits = memory_.allocate(stat_of(model_.dtype), {hidden.rows(), model_.config.vocab_size});
    head_logits(device_, model_, hidden, logits);
    Staging staging(device_);
    std::vector<float> values(static_cast<size_t>(logits.count()));
    copy_tensor(staging.read(logits), Tensor(values.data(), DType::f32, {logits.rows(), logits.cols()}),
                "logits");
    return values;
  }

  // Of the mean next-token loss; returns it.
  double backward(WeightGradients& grads) {
    const Tensor hidden = forward();
    const int64_t N = hidden.rows();
    const DType stat = stat_of(model_.dtype);
    const Tensor targets = memory_.allocate(DType::i32, {N}), losses = memory_.allocate(stat, {N});
    const Tensor dhidden = memory_.allocate(model_.dtype, {N, model_.config.hidden_size});
    upload(device_, targets, ConstTensor(targets_.data(), DType::i32, {N}));
    head_backward(device_, model_, hidden, memory_, token_loss(device_, targets, losses, scale_), dhidden,
                  grads);
    model_backward(device_, model_, batch_, activations_, dhidden, grads, /*balance_weight=*/0);
    Staging staging(device_);
    const ConstTensor all = staging.read(losses);
    double sum = 0;
    for (int64_t n = 0; n < N; ++n) sum += element(all, 0, n);
    return sum * scale_;
  }
  Arena& memory() { return memory_; }

 private:
  Tensor forward() {
    const BatchSize size = host_.size();
    activations_ = allocate_activations(model_.config, memory_, model_.dtype, Purpose::training, size);
    batch_ = allocate_batch(memory_, size);
    upload_batch(device_, model_.config, host_, batch_);
    return model_forward(device_, model_, batch_, activations_);
  }

  Device& device_;
  const Model& model_;
  std::vector<int32_t> ids_, targets_;
  HostBatch host_;
  double scale_ = 1;
  Arena memory_;
  Activations activations_;
  Batch batch_;
};

struct Case {
  const char* model;
  const char* device;
  DType dtype;
};
class LoraGolden : public ::testing::TestWithParam<Case> {};
std::vector<Case> cases() {
  std::vector<Case> all;
  for (const char* model : {"v2_like", "lite_like", "llama"}) {
    all.push_back({model, "reference", DType::f64});
    all.push_back({model, "cpu", DType::f32});
    if (gpus() > 0) all.push_back({model, "cuda", DType::f32});
  }
  return all;
}
INSTANTIATE_TEST_SUITE_P(Models, LoraGolden, ::testing::ValuesIn(cases()), [](const auto& info) {
  return std::string(info.param.model) + "_" + info.param.device;
});

// PEFT's gradient of a tensor from ours: where experts are fused, gate and up have one A, whose gradient is
// the sum of theirs, and B's ranks stand outside its experts.
class PeftGradients {
 public:
  PeftGradients(const Device& device, const Config& c, const Weights& grads) : experts_(c.n_routed_experts) {
    Staging staging(device);
    for (const NamedWeight& w : list_weights(c, grads)) {
      if (!w.weight) continue;
      const ConstTensor t = staging.read(w.weight.data);
      std::vector<double>& values = ours_[w.info.name];
      for (int64_t r = 0; r < t.rows(); ++r)
        for (int64_t i = 0; i < t.cols(); ++i) values.push_back(element(t, r, i));
    }
  }
  // Of PEFT's tensor of this name and shape.
  std::vector<double> like(const std::string& stored, const std::vector<int64_t>& shape) const {
    const std::string name = stored.substr(std::string("base_model.model.").size());
    const size_t at = name.find(".mlp.experts.");
    if (at == std::string::npos) return ours_.at(name);
    const std::string experts = name.substr(0, at) + ".mlp.experts.";
    const std::string end = name.substr(name.find("lora_") - 1);
    if (name.find("base_layer") == std::string::npos) return fused({experts + "down_proj" + end}, end, shape);
    return fused({experts + "gate_proj" + end, experts + "up_proj" + end}, end, shape);
  }

 private:
  std::vector<double> fused(const std::vector<std::string>& parts, const std::string& end,
                            const std::vector<int64_t>& shape) const {
    std::vector<double> all(static_cast<size_t>(shape[0] * shape[1]));
    const bool is_a = end.find("lora_A") != std::string::npos;
    const int64_t R = is_a ? shape[0] / experts_ : shape[1] / experts_,
                  rows = shape[0] / static_cast<int64_t>(parts.size());
    for (size_t p = 0; p < parts.size(); ++p) {
      const std::vector<double>& part = ours_.at(parts[p]);
      for (size_t i = 0; i < part.size(); ++i) {
        if (is_a) {
          all[i] += part[i];
          continue;
        }
        const auto n = static_cast<int64_t>(i), e = n / (rows * R), row = n / R % rows, k = n % R;
        all[static_cast<size_t>((static_cast<int64_t>(p) * rows + row) * shape[1] + k * experts_ + e)] =
            part[i];
      }
    }
    return all;
  }

  int64_t experts_;
  std::map<std::string, std::vector<double>> ours_;
};

TEST_P(LoraGolden, AgreesWithPeft) {
  const auto [name, where, dtype] = GetParam();
  Device device = Device::named(where, 2);
  const Model model = load_model(device, golden_dir(name), lora_dir(name), dtype);
  const Config& c = model.config;
  const SafetensorsFile golden(lora_dir(name) + "/golden.safetensors");
  GoldenRun run(device, model, golden);
  std::vector<float> logits = run.logits();
  const ConstTensor want = golden.tensor("logits");
  const double states = whole_tolerance(dtype, c.num_hidden_layers).value;
  const int64_t V = c.vocab_size;
  EXPECT_LE(relative_error(Tensor(logits.data(), DType::f32, {want.count() / V, V}),
                           want.reshape({want.count() / V, V})),
            states);

  WeightGradients grads(c, run.memory(), dtype);
  EXPECT_NEAR(run.backward(grads), golden.tensor("loss").as<float>()[0], 10 * states);
  const PeftGradients ours(device, c, grads.weights);
  int compared = 0;
  for (const SafetensorsEntry& entry : golden.tensors()) {
    if (!entry.name.starts_with("grad.")) continue;
    std::vector<double> got = ours.like(entry.name.substr(5), entry.shape);
    ++compared;
    EXPECT_LE(relative_error(Tensor(got.data(), DType::f64, {entry.shape[0], entry.shape[1]}),
                             golden.tensor(entry.name)),
              whole_gradient_tolerance(dtype, c.num_hidden_layers).value)
        << entry.name;
  }
  EXPECT_EQ(compared, static_cast<int>(golden.tensors().size()) - 3);
}

TEST_P(LoraGolden, MergedIsTheSame) {
  const auto [name, where, dtype] = GetParam();
  if (std::string(where) == "cuda") GTEST_SKIP() << "merged on the host";
  Device device = Device::named(where, 2);
  const SafetensorsFile golden(lora_dir(name) + "/golden.safetensors");
  Model model = load_model(device, golden_dir(name), lora_dir(name), dtype);
  merge_adapters(device, model);
  EXPECT_FALSE(model.config.lora);
  std::vector<float> logits = GoldenRun(device, model, golden).logits();
  const ConstTensor want = golden.tensor("logits");
  const int64_t V = model.config.vocab_size;
  EXPECT_LE(relative_error(Tensor(logits.data(), DType::f32, {want.count() / V, V}),
                           want.reshape({want.count() / V, V})),
            whole_tolerance(dtype, model.config.num_hidden_layers).value);
}

// W + scale B A is rounded once to bf16, and not B A before.
TEST(Lora, MergingRoundsOnce) {
  Device device = Device::cpu(1);
  const Config c = with_lora(v2_like());
  Model exact = random_model(c, DType::f32), rounded = random_model(c, DType::bf16);
  const auto from = list_weights(c, rounded.weights), to = list_weights(c, exact.weights);
  for (size_t i = 0; i < from.size(); ++i)
    copy_tensor(from[i].weight.data, to[i].weight.data, from[i].info.name);
  merge_adapters(device, exact);
  merge_adapters(device, rounded);
  const auto want = list_weights(exact.config, exact.weights),
             got = list_weights(exact.config, rounded.weights);
  for (size_t i = 0; i < want.size(); ++i) {
    const Tensor &w = want[i].weight.data, &g = got[i].weight.data;
    if (g.dtype != DType::bf16) continue;  // a router
    for (int64_t r = 0; r < w.rows(); ++r)
      for (int64_t k = 0; k < w.cols(); ++k)
        ASSERT_EQ(static_cast<float>(g.row<bf16>(r)[k]), static_cast<float>(bf16(w.row<float>(r)[k])))
            << want[i].info.name;
  }
}

TEST(Lora, OnlyAdaptersAreTrained) {
  for (const Config& base : {v2_like(), lite_like(), gqa_like(), llama_like()}) {
    const Config c = with_lora(base);
    Arena plan;
    const Weights grads = allocate_weights(c, plan, gradient_types(DType::bf16));
    int64_t trained = 0;
    for (const NamedWeight& w : list_weights(c, {}))
      if (is_adapter(w.info.kind)) {
        EXPECT_TRUE(is_trained(w.info));
        int64_t count = 1;
        for (const int64_t d : w.info.shape) count *= d;
        trained += (4 * count + 63) / 64 * 64;
      } else {
        EXPECT_FALSE(is_trained(w.info)) << w.info.name;
      }
    EXPECT_EQ(plan.used(), trained);
    EXPECT_GT(trained, 0);
  }
}

// A as PEFT starts it, B zero: the model is what it was.
TEST(Lora, StartsAsTheModelBeneath) {
  Device device = Device::cpu(1);
  const Config c = with_lora(v2_like());
  Model adapted = make_model(device, c, DType::f32), plain = make_model(device, v2_like(), DType::f32);
  initialize_weights(device, c, adapted.weights, 5);
  initialize_weights(device, v2_like(), plain.weights, 5);
  const RandomBatch batch(c, {7});
  const auto hidden = [&](const Model& m) {
    Arena memory("test", activation_bytes(m.config, m.dtype, Purpose::serving, batch.size()));
    Activations a = allocate_activations(m.config, memory, m.dtype, Purpose::serving, batch.size());
    const Tensor h = model_forward(device, m, batch.batch, a);
    return std::vector<float>(h.as<float>(), h.as<float>() + h.count());
  };
  EXPECT_EQ(hidden(adapted), hidden(plain));
  const Tensor a = adapted.weights.layers[1].self_attn.o_proj.low_rank[0].a.data;
  const double bound = 1 / std::sqrt(static_cast<double>(a.cols()));
  double squares = 0;
  for (int64_t i = 0; i < a.count(); ++i) {
    EXPECT_LE(std::abs(a.as<float>()[i]), bound);
    squares += a.as<float>()[i] * a.as<float>()[i];
  }
  EXPECT_NEAR(std::sqrt(squares / static_cast<double>(a.count())), bound / std::sqrt(3), bound / 4);
}

TEST(Lora, SavedAndLoadedIsTheSame) {
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
TEST(Lora, FusedExpertsComeApart) {
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

// tools/check_peft.py loads what we save, gets the same logits, and saves it again in its own form, which we
// read.
TEST(Lora, SavedOnesLoadInPeft) {
  FATHOM_NEEDS_PEER_PYTHON("torch, transformers, peft");
  Device device = Device::cpu(2);
  for (const char* name : {"v2_like", "lite_like", "llama"}) {
    Config c = read_config(golden_dir(name));
    c.lora = lora_of(c, {.rank = 4, .alpha = 6, .rslora = std::string(name) == "lite_like"}, "test");
    Model model = make_model(device, c, DType::f32);
    load_weights(device, c, model.weights, CheckpointReader(golden_dir(name)));
    initialize_adapters(device, c, model.weights, 3);
    randomize_adapters(device, c, model.weights);
    TempDir dir;
    save_adapter(device, dir / "adapter", model, golden_dir(name));
    const SafetensorsFile golden(lora_dir(name) + "/golden.safetensors");
    std::vector<float> logits = GoldenRun(device, model, golden).logits();
    std::vector<int32_t> ids = golden.read_ints("input_ids");
    const ConstTensor shape = golden.entry("input_ids")->view;
    const std::vector<NamedTensor> tensors = {
        {"input_ids", Tensor(ids.data(), DType::i32, {shape.shape[0], shape.shape[1]})},
        {"logits", Tensor(logits.data(), DType::f32, {shape.shape[0], shape.shape[1], c.vocab_size})}};
    write_safetensors(dir / "logits.safetensors", tensors);
    const Outcome run = run_peer("tools/check_peft.py " + golden_dir(name) + " " + (dir / "adapter") +
                                 " --logits " + (dir / "logits.safetensors") + " --save " + (dir / "again"));
    EXPECT_EQ(run.exit_code, 0) << run.out << run.err;
    std::printf("%s", run.out.c_str());
    const Model again = load_model(device, golden_dir(name), dir / "again", DType::f32);
    std::vector<float> same = GoldenRun(device, again, golden).logits();
    const auto n = static_cast<int64_t>(same.size());
    EXPECT_LE(relative_error(Tensor(same.data(), DType::f32, {n}), Tensor(logits.data(), DType::f32, {n})),
              1e-6);
    for (const auto& [projection, s] : c.lora.projections)
      EXPECT_EQ(again.config.lora.projections.at(projection).rank, s.rank) << projection;
  }
}

TEST(Lora, TargetsAreNamedAsInPeft) {
  const Config c = v2_like();
  const auto count = [&](const std::vector<std::string>& targets) {
    return lora_of(c, {.targets = targets}, "lora").projections.size();
  };
  EXPECT_EQ(count({"q_a_proj"}), 3u);
  EXPECT_EQ(count({"model.layers.1.self_attn.o_proj"}), 1u);
  EXPECT_EQ(count({"down_proj"}), 5u);          // one dense, two shared, two of routed experts
  EXPECT_EQ(count({"experts.down_proj"}), 2u);  // not the shared ones
  EXPECT_EQ(count({"shared_experts.gate_proj"}), 2u);
  EXPECT_EQ(count({"mlp.up_proj", "mlp.up_proj"}), 1u);
  EXPECT_EQ(count({"all-linear"}), 3u * 5 + 3 + 2 * 3 + 2 * 3);
  const auto error = [&](const LoraOptions& o) { return error_of([&] { lora_of(c, o, "lora"); }); };
  EXPECT_NE(error({.targets = {"q_proj"}})
                .find("lora: 'q_proj' names no projection of this model, which has down_proj"),
            std::string::npos);
  EXPECT_NE(error({.targets = {"gate"}}).find("'gate' names no projection"), std::string::npos);
  EXPECT_NE(error({.targets = {}}).find("no projection is named"), std::string::npos);
  EXPECT_NE(error({.rank = 0}).find("the rank is 0"), std::string::npos);
  EXPECT_NE(error({.alpha = 0}).find("alpha is 0"), std::string::npos);
  EXPECT_NE(error({.targets = {"experts.up_proj"}}).find("PEFT adapts both together"), std::string::npos);
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
