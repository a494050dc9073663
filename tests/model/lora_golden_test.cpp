// LoRA adapters as PEFT computes them (tools/make_lora_golden.py), and what it makes of those that fathom
// saves.
#include <gtest/gtest.h>

#include <cstdio>
#include <map>

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
    head_backward(device_, model_, hidden, memory_, token_loss(device_, targets, {}, losses, scale_), dhidden,
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

}  // namespace
}  // namespace fathom::testing
