// What makes a checkpoint unfit for its config, found from the headers of its files alone; and small models
// that Hugging Face transformers loads in a way that is easily got wrong.
#include "model/checkpoint_check.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "model/model_folder.h"
#include "model/verify_model.h"
#include "support/captured_log.h"
#include "support/paths.h"
#include "support/small_model.h"
#include "support/temp_dir.h"

namespace fathom {
namespace {

// A model saved in three files, whose tensors a test changes.
class CheckpointCheck : public ::testing::Test {
 protected:
  CheckpointCheck() : model_(testing::random_model(testing::v2_like(), DType::f32)) {
    tensors_ = checkpoint_tensors(model_.config, model_.weights);
  }

  void write() {
    int64_t bytes = 0;
    for (const NamedTensor& t : tensors_) bytes += t.tensor.bytes();
    write_sharded(dir_.path(), tensors_, bytes / 2);
  }
  std::string error() {
    write();
    const CheckpointReader checkpoint(dir_.path());
    const std::string checked = error_of([&] { check_checkpoint(model_.config, checkpoint); });
    // Loading asks the same question.
    Model loaded = make_model(Device::cpu(1), model_.config, DType::f32);
    EXPECT_EQ(error_of([&] { load_weights(Device::cpu(1), model_.config, loaded.weights, checkpoint); }),
              checked);
    return checked;
  }
  std::string file_of(const std::string& tensor) {
    write();
    return CheckpointReader(dir_.path()).file_of(tensor);
  }
  NamedTensor& tensor(const std::string& name) {
    return *std::find_if(tensors_.begin(), tensors_.end(),
                         [&](const NamedTensor& t) { return t.name == name; });
  }

  TempDir dir_;
  Model model_;
  std::vector<NamedTensor> tensors_;
};

const std::string norm = "model.layers.2.input_layernorm.weight",
                  expert = "model.layers.1.mlp.experts.5.up_proj.weight";

TEST_F(CheckpointCheck, SoundOnesPass) {
  EXPECT_EQ(error(), "");
  EXPECT_NE(file_of(norm), file_of("model.embed_tokens.weight"));
}

TEST_F(CheckpointCheck, MissingTensorsAreNamedAndCounted) {
  tensors_.erase(tensors_.begin() + (&tensor(norm) - tensors_.data()));
  EXPECT_EQ(error(), dir_ / "model.safetensors.index.json" + ": tensor '" + norm + "' is missing");
  std::erase_if(tensors_,
                [](const NamedTensor& t) { return t.name.find(".experts.5.") != std::string::npos; });
  EXPECT_EQ(error(), dir_ / "model.safetensors.index.json" +
                         ": tensor 'model.layers.1.mlp.experts.5.gate_proj.weight' is missing; and 6 more");
}

TEST_F(CheckpointCheck, ExtraTensorsAreNamed) {
  tensors_.push_back({"model.layers.9.input_layernorm.weight", model_.weights.norm.data});
  EXPECT_EQ(error(), file_of("model.layers.9.input_layernorm.weight") +
                         ": tensor 'model.layers.9.input_layernorm.weight' is not part of this model");
  tensors_.back().name = "model.layers.0.self_attn.rotary_emb.inv_freq";  // old files have it
  EXPECT_EQ(error(), "");
}

TEST_F(CheckpointCheck, WrongShapesAreNamedWithBoth) {
  tensor(expert).tensor = tensor(expert).tensor.slice(1, 3);
  EXPECT_EQ(error(),
            file_of(expert) + ": tensor '" + expert + "' has shape [3, 20], this model's has [8, 20]");
  tensor(norm).tensor = tensor(norm).tensor.reshape({2, 10});
  EXPECT_EQ(error(), file_of(expert) + ": tensor '" + expert +
                         "' has shape [3, 20], this model's has [8, 20]; and 1 more");
}

TEST_F(CheckpointCheck, IntegerWeightsAreNamed) {
  std::vector<int32_t> zeros(20);
  tensor(norm).tensor = Tensor(zeros.data(), DType::i32, {20});
  EXPECT_EQ(error(),
            file_of(norm) + ": tensor '" + norm + "' is of type I32: expected F32, BF16, F16 or F64");
  tensor(norm).tensor = Tensor(zeros.data(), DType::bf16, {20});
  tensor(norm).stored_as = "I16";
  EXPECT_EQ(error(),
            file_of(norm) + ": tensor '" + norm + "' is of type I16: expected F32, BF16, F16 or F64");
}

TEST_F(CheckpointCheck, AnotherModelIsRefusedQuickly) {
  error();
  Config large = model_.config;
  large.num_hidden_layers = 4096, large.n_routed_experts = 65536;
  const std::string refused = error_of([&] { check_checkpoint(large, CheckpointReader(dir_.path())); });
  EXPECT_NE(refused.find("; and at least 1"), std::string::npos) << refused;
}

const std::string cases = testing::source_dir() + "/tests/model/data/";

// What verify says of a model and its golden.safetensors; empty if all is right.
std::string failures(const std::string& dir, const std::string& golden = "golden.safetensors") {
  Device device = Device::reference();
  const Model model = load_model(device, dir, DType::f64);
  std::string text;
  const SafetensorsFile file(dir + "/" + golden);
  OwnReference own([&] { return load_model(Device::cpu(1), dir, DType::f32); });
  for (const Verdict& v : verify_model(device, model, file, own))
    if (!v.pass()) text += fmt::format("{}: {} > {}\n", v.name, v.error, v.tolerance.value);
  return text;
}

TEST(CheckpointCases, AttentionFactorMultipliesCosAndSin) {
  EXPECT_EQ(failures(cases + "yarn_attention_factor"), "");
}

TEST(CheckpointCases, ATiedModelUsesItsEmbeddingAndSaysSo) {
  const testing::CapturedLog log;
  EXPECT_EQ(failures(cases + "tied_stale_head"), "");
  EXPECT_NE(failures(cases + "tied_stale_head", "golden_untied.safetensors"), "");
  EXPECT_EQ(log.text(), cases +
                            "tied_stale_head/model.safetensors: tensor 'lm_head.weight' is ignored: "
                            "tie_word_embeddings is true, and it differs from 'model.embed_tokens.weight'\n");
}

}  // namespace
}  // namespace fathom
