// Checkpoint folders: complete or absent, refused when damaged or of another run, pruned, readable as models.
#include "train/training_checkpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <memory>

#include "model/model_folder.h"
#include "small_run.h"
#include "support/file_size_limit.h"
#include "train/checksums.h"

namespace fathom {
namespace {

using namespace testing;
using ::testing::AllOf;
using ::testing::HasSubstr;
namespace fs = std::filesystem;

std::vector<std::string> entries(const std::string& dir) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(dir)) names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

class CheckpointTest : public ::testing::Test {
 protected:
  // A run with a checkpoint after its first step.
  CheckpointTest() {
    trainer_ = std::make_unique<Trainer>(small_.recipe("out"));
    trainer_->step();
    path_ = trainer_->save();
  }
  std::string resume_error(const std::vector<std::pair<std::string, std::string>>& flags = {},
                           const std::vector<std::string>& changes = {}) const {
    return error_of([&] { Trainer(small_.recipe("out", flags), path_, changes); });
  }
  void truncate(const char* file, int64_t bytes) const {
    fs::resize_file(path_ + "/" + file, fs::file_size(path_ + "/" + file) - bytes);
  }

  SmallRun small_;
  std::unique_ptr<Trainer> trainer_;
  std::string path_;
};

TEST_F(CheckpointTest, IsAModelFolderAndMore) {
  EXPECT_EQ(fs::path(path_).filename(), "step-00000001");
  EXPECT_EQ(entries(path_),
            (std::vector<std::string>{"checksums.json", "config.json", "generation_config.json",
                                      "model.safetensors", "optimizer.safetensors", "tokenizer.json",
                                      "trainer.json"}));
  const Model model = load_model(Device::cpu(1), path_);
  EXPECT_EQ(model.config, trainer_->model().config);
  const auto saved = list_weights(model.config, model.weights),
             trained = list_weights(model.config, trainer_->model().weights);
  for (size_t i = 0; i < saved.size(); ++i) {
    const Tensor &a = saved[i].weight.data, &b = trained[i].weight.data;
    EXPECT_EQ(std::memcmp(a.data, b.data, static_cast<size_t>(a.bytes())), 0) << saved[i].info.name;
  }
}

// In bf16 training the routers are parameters in f32: stored so, and without a master copy.
class Bf16CheckpointTest : public ::testing::Test {
 protected:
  Bf16CheckpointTest() {
    Trainer trainer(recipe());
    trainer.step(), trainer.step();
    path_ = trainer.save();
    trainer.save_model_to(small_.output("out") + "/model");
    weights_ = weight_bytes_of(trainer);
  }
  Recipe recipe() const { return small_.recipe("out", {{"run.precision", "bf16"}}); }
  std::string file(const char* name) const { return path_ + "/" + name; }

  SmallRun small_;
  std::string path_, weights_;
};

constexpr const char* some_router = "model.layers.1.mlp.gate.weight";

TEST_F(Bf16CheckpointTest, RoutersAreF32) {
  for (const std::string& path :
       {file("model.safetensors"), small_.output("out") + "/model/model.safetensors"}) {
    const SafetensorsFile model(path);
    for (const SafetensorsEntry& e : model.tensors())
      EXPECT_EQ(e.dtype, e.name.ends_with("mlp.gate.weight") ? "F32" : "BF16") << e.name;
    const ConstTensor router = model.tensor(some_router);
    int64_t beyond_bf16 = 0;
    for (int64_t i = 0; i < router.count(); ++i) {
      const float value = router.as<float>()[i];
      beyond_bf16 += static_cast<float>(bf16(value)) != value;
    }
    EXPECT_GT(beyond_bf16, router.count() / 2);
  }
  const SafetensorsFile optimizer(file("optimizer.safetensors"));
  EXPECT_FALSE(optimizer.entry(std::string("master.") + some_router));
  EXPECT_TRUE(optimizer.entry(std::string("m.") + some_router));
  EXPECT_TRUE(optimizer.entry("master.model.layers.1.self_attn.o_proj.weight"));
  EXPECT_EQ(weight_bytes_of(Trainer(recipe(), path_)), weights_);
}

// Checkpoints from before hold the router in bf16 and its master copy beside the others.
TEST_F(Bf16CheckpointTest, AnOlderOnesRouterIsItsMasterCopy) {
  std::vector<std::unique_ptr<SafetensorsFile>> files;
  std::vector<std::vector<bf16>> rounded;
  std::vector<NamedTensor> model, optimizer;
  const auto tensors_of = [&](const char* name) {
    files.push_back(std::make_unique<SafetensorsFile>(file(name)));
    std::vector<NamedTensor> all;
    for (const SafetensorsEntry& e : files.back()->tensors())
      all.push_back({e.name, files.back()->tensor(e.name)});
    return all;
  };
  model = tensors_of("model.safetensors"), optimizer = tensors_of("optimizer.safetensors");
  for (NamedTensor& t : model) {
    if (!t.name.ends_with("mlp.gate.weight")) continue;
    optimizer.push_back({"master." + t.name, t.tensor});
    rounded.emplace_back(t.tensor.count());
    const Tensor copy(rounded.back().data(), DType::bf16, {t.tensor.shape[0], t.tensor.shape[1]});
    copy_tensor(t.tensor, copy, t.name);
    t.tensor = copy;
  }
  ASSERT_FALSE(rounded.empty());
  write_safetensors(file("model.safetensors"), model);
  write_safetensors(file("optimizer.safetensors"), optimizer);
  fs::remove(file(checksums_file));  // older ones have none
  EXPECT_EQ(weight_bytes_of(Trainer(recipe(), path_)), weights_);

  optimizer.push_back({"master.model.layers.9.mlp.gate.weight", optimizer.back().tensor});
  write_safetensors(file("optimizer.safetensors"), optimizer);
  EXPECT_THAT(error_of([&] { Trainer(recipe(), path_); }),
              AllOf(HasSubstr("optimizer.safetensors"), HasSubstr("master.model.layers.9.mlp.gate.weight")));
}

TEST_F(CheckpointTest, KeepsTheNewest) {
  trainer_->step(), trainer_->save(), trainer_->step(), trainer_->save();
  EXPECT_EQ(entries(small_.output("out")), (std::vector<std::string>{"step-00000002", "step-00000003"}));
  EXPECT_EQ(fs::path(latest_checkpoint(small_.output("out")).value()).filename(), "step-00000003");
  prune_checkpoints(small_.output("out"), 1, 2);  // step 3 is none of those it was asked for
  EXPECT_EQ(entries(small_.output("out")), (std::vector<std::string>{"step-00000002", "step-00000003"}));
  prune_checkpoints(small_.output("out"), 0, 3);  // never the only one
  EXPECT_EQ(entries(small_.output("out")), (std::vector<std::string>{"step-00000003"}));
  EXPECT_FALSE(latest_checkpoint("/nowhere").has_value());
}

TEST_F(CheckpointTest, OfAnotherRecipeIsRefusedByKey) {
  EXPECT_EQ(resume_error(), "");
  EXPECT_THAT(
      resume_error({{"optimizer.lr", "1e-3"}}),
      AllOf(HasSubstr("trainer.json"), HasSubstr("optimizer.lr"), HasSubstr("0.003"), HasSubstr("0.001")));
  EXPECT_THAT(resume_error({{"run.seed", "7"}}), HasSubstr("run.seed"));
  EXPECT_THAT(resume_error({{"run.precision", "bf16"}}), HasSubstr("run.precision"));
  EXPECT_THAT(resume_error({{"model.hidden_size", "36"}}),
              AllOf(HasSubstr("config.json"), HasSubstr("model.hidden_size")));
  EXPECT_THAT(resume_error({{"model.aux_loss_alpha", "0.5"}}), HasSubstr("model.aux_loss_alpha"));
  // Every key at once, with what to do about it.
  EXPECT_THAT(resume_error({{"optimizer.lr", "1e-3"}, {"schedule.steps", "30"}}),
              AllOf(HasSubstr("optimizer.lr = 0.003, now 0.001"), HasSubstr("schedule.steps = 20, now 30"),
                    HasSubstr("--resume-with optimizer.lr schedule.steps")));
  EXPECT_THAT(resume_error({{"optimizer.lr", "1e-3"}, {"run.seed", "7"}}),
              HasSubstr("run.seed cannot change"));
}

TEST_F(CheckpointTest, KeysThatAreNamedMayChange) {
  const std::vector<std::pair<std::string, std::string>> flags = {
      {"optimizer.lr", "1e-3"}, {"schedule.steps", "30"}, {"batch.micro_batch", "1"}};
  EXPECT_THAT(resume_error(flags, {"optimizer.lr", "schedule.steps"}),
              AllOf(HasSubstr("batch.micro_batch = 2, now 1"), ::testing::Not(HasSubstr("optimizer.lr"))));
  EXPECT_EQ(resume_error(flags, {"optimizer.lr", "schedule.steps", "batch.micro_batch"}), "");
}

TEST_F(CheckpointTest, OfOtherDataIsRefused) {
  // As many tokens, of another text.
  Rng rng(1);
  std::vector<int> lengths;
  for (int d = 0; d < 150; ++d) lengths.push_back(7 + static_cast<int>(rng.below(40)));
  write_documents(small_.path("other"), "train", lengths, 99);
  ASSERT_EQ(TokenShards({small_.path("other")}).tokens(), TokenShards({small_.path("data")}).tokens());
  EXPECT_THAT(resume_error({{"data.train", small_.path("other")}}),
              AllOf(HasSubstr("trainer.json: made with training data of"), HasSubstr("(xxh3:"),
                    HasSubstr(small_.path("other"))));
  // The same text in another place is the same data.
  fs::copy(small_.path("data"), small_.path("moved"), fs::copy_options::recursive);
  EXPECT_EQ(resume_error({{"data.train", small_.path("moved")}}), "");
}

TEST_F(CheckpointTest, WithAnotherTokenizerIsRefused) {
  write_file(path_ + "/tokenizer.json", small_tokenizer("c d"));
  EXPECT_THAT(resume_error(), AllOf(HasSubstr(path_ + "/tokenizer.json (xxh3:"),
                                    HasSubstr("not the tokenizer that the checkpoint was made with (xxh3:")));
}

TEST_F(CheckpointTest, ADamagedTensorIsNamed) {
  for (const auto& [file, tensor] : {std::pair("model.safetensors", "model.layers.1.mlp.gate.weight"),
                                     std::pair("optimizer.safetensors", "v.model.norm.weight")}) {
    const std::string path = path_ + "/" + file, whole = read_file(path);
    std::string bytes = whole;
    {
      const SafetensorsFile safetensors(path);
      const auto* data = reinterpret_cast<const char*>(safetensors.entry(tensor)->bytes.data());
      bytes[bytes.find(std::string(data, 64)) + 9] ^= 1;
    }
    write_file(path, bytes);
    EXPECT_THAT(resume_error(), AllOf(HasSubstr(path), HasSubstr(tensor), HasSubstr("damaged"))) << file;
    write_file(path, whole);
  }
  fs::remove(path_ + "/checksums.json");
  EXPECT_EQ(resume_error(), "");  // of an earlier release
}

// What stands in for a copy that stopped half-way.
TEST_F(CheckpointTest, HalfAFolderIsPassedOver) {
  const std::string out = small_.output("out");
  for (const char* missing : {"trainer.json", "optimizer.safetensors", "model.safetensors", "config.json"}) {
    fs::copy(path_, out + "/step-00000007", fs::copy_options::recursive);
    EXPECT_EQ(latest_checkpoint(out), out + "/step-00000007");
    fs::remove(out + "/step-00000007/" + missing);
    EXPECT_EQ(latest_checkpoint(out), path_) << missing;
    fs::remove_all(out + "/step-00000007");
  }
  fs::copy(path_, out + "/step-00000007", fs::copy_options::recursive);
  fs::resize_file(out + "/step-00000007/optimizer.safetensors", 4000);
  fs::create_directories(out + "/step-00000009");
  EXPECT_EQ(latest_checkpoint(out), path_);
  EXPECT_EQ(any_checkpoint(out), out + "/step-00000007");
}

TEST_F(CheckpointTest, WhatDoesNotShapeTheResultMayChange) {
  EXPECT_EQ(resume_error({{"run.threads", "1"},
                          {"run.recompute", "true"},
                          {"checkpoint.keep", "9"},
                          {"run.max_seconds", "5"},
                          {"validation.every", "3"}}),
            "");
}

TEST_F(CheckpointTest, DamageIsOneErrorNamingTheFile) {
  for (const char* file : {"model.safetensors", "optimizer.safetensors", "trainer.json", "config.json"}) {
    const std::string whole = read_file(path_ + "/" + file);
    truncate(file, 5);
    EXPECT_THAT(resume_error(), HasSubstr(file));
    write_file(path_ + "/" + file, "no such format");
    EXPECT_THAT(resume_error(), HasSubstr(file));
    fs::remove(path_ + "/" + file);
    EXPECT_THAT(resume_error(), HasSubstr(file));
    write_file(path_ + "/" + file, whole);
  }
  write_file(path_ + "/trainer.json", "{\"format\": 2}");
  EXPECT_THAT(resume_error(), HasSubstr("format 2"));
}

TEST_F(CheckpointTest, AFullDiskLeavesTheLastCheckpointAlone) {
  trainer_->step();
  std::string error;
  for (const rlim_t limit : {100, 4000, 60000}) {  // in config.json, in the model, in the optimizer
    const FileSizeLimit full(limit);
    error = error_of([&] { trainer_->save(); });
    EXPECT_THAT(error, HasSubstr("cannot write")) << limit;
    EXPECT_EQ(entries(small_.output("out")), (std::vector<std::string>{"step-00000001"}));
  }
  EXPECT_EQ(resume_error(), "");
  EXPECT_NO_THROW(trainer_->save());
}

TEST_F(CheckpointTest, ReplacesAModelFolderWhole) {
  const std::string dir = small_.output("out") + "/model";
  fs::create_directories(dir);
  write_file(dir + "/model-00001-of-00002.safetensors", "stale");
  write_file(dir + "/README.md", "mine");
  trainer_->save_model_to(dir);
  EXPECT_EQ(entries(dir), (std::vector<std::string>{"README.md", "config.json", "generation_config.json",
                                                    "model.safetensors", "tokenizer.json"}));
  EXPECT_EQ(entries(small_.output("out")), (std::vector<std::string>{"model", "step-00000001"}));
}

TEST_F(CheckpointTest, PruningKeepsTheUsersFiles) {
  write_file(path_ + "/notes.txt", "mine");
  trainer_->step(), trainer_->save(), trainer_->step(), trainer_->save();
  EXPECT_EQ(entries(path_), (std::vector<std::string>{"notes.txt"}));
}

}  // namespace
}  // namespace fathom
