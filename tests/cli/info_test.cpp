#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "io/json.h"
#include "support/byte_tokenizer.h"
#include "support/paths.h"
#include "support/program.h"

namespace fathom::testing {
namespace {

const std::string root = testing::source_dir();

TEST(Info, PublishedModelsAsJson) {
  const Outcome v2 = run_fathom("info --json " + root + "/configs/deepseek-v2.json");
  ASSERT_EQ(v2.exit_code, 0) << v2.err;
  const Json j = Json::parse(v2.out);
  EXPECT_EQ(j["parameters"], 235'741'434'880);
  EXPECT_EQ(j["kv_cache_bytes_per_token"]["mla"], 69'120);
  EXPECT_EQ(j["weight_bytes"]["f32"], 4 * 235'741'434'880);
  // Two bytes each, and two more for the routers of 59 layers.
  EXPECT_EQ(j["weight_bytes"]["bf16"], 2 * (235'741'434'880 + 59 * 160 * 5120));
  const Outcome lite = run_fathom("info --json " + root + "/configs/deepseek-v2-lite.json");
  EXPECT_EQ(Json::parse(lite.out)["parameters"], 15'706'484'224);
}

TEST(Info, TextNamesTheSameNumbers) {
  const Outcome run = run_fathom("info " + root + "/configs/deepseek-v2.json");
  ASSERT_EQ(run.exit_code, 0) << run.err;
  EXPECT_NE(run.out.find("235,741,434,880"), std::string::npos);
  EXPECT_NE(run.out.find("69.1 KB"), std::string::npos);
}

TEST(Info, CheckpointSaysWhatIsStored) {
  const Outcome run = run_fathom("info --json " + root + "/tests/golden/lite_like");
  ASSERT_EQ(run.exit_code, 0) << run.err;
  const Json j = Json::parse(run.out);
  EXPECT_GT(j["stored_weight_bytes"], 0);
}

// A model that scores texts: info knows it, and what needs a language model refuses it before it reads weights.
TEST(Info, ScoreModelsAreNoLanguageModels) {
  const std::string model = root + "/tests/golden_scores/reward_v2";
  const Outcome run = run_fathom("info --json " + model);
  ASSERT_EQ(run.exit_code, 0) << run.err;
  EXPECT_EQ(Json::parse(run.out)["num_labels"], 1);
  EXPECT_NE(run_fathom("info " + model).out.find("scores, 1 a text"), std::string::npos);
  const char* what = "reward_v2: a model that scores texts";
  EXPECT_TRUE(is_one_clear_error(run_fathom("generate --prompt-ids 1,2 " + model), what));
  EXPECT_TRUE(is_one_clear_error(run_fathom("verify " + model + " " + model + "/golden.safetensors"), what));
  // With a tokenizer beside it.
  TempDir dir;
  std::filesystem::copy(model, dir / "model");
  write_file(dir / "model/tokenizer.json", byte_tokenizer_json().dump());
  write_file(dir / "text.txt", "some words");
  EXPECT_TRUE(is_one_clear_error(run_fathom("chat " + (dir / "model")), "model: a model that scores texts"));
  EXPECT_TRUE(is_one_clear_error(
      run_fathom("eval positions --length 2 --text " + (dir / "text.txt") + " " + (dir / "model")),
      "model: a model that scores texts"));
}

TEST(Info, BadInputIsOneClearError) {
  EXPECT_TRUE(is_one_clear_error(run_fathom("info /nonexistent"), "/nonexistent"));
  TempDir dir;
  write_file(dir / "config.json", R"({"model_type": "deepseek_v2", "vocab_size": -1})");
  EXPECT_TRUE(is_one_clear_error(run_fathom("info " + dir.path()), "config.json"));
  write_file(dir / "config.json", "{\"a\": ");
  EXPECT_TRUE(is_one_clear_error(run_fathom("info " + dir.path()), "config.json"));
}

// A copy of a golden checkpoint with one field of its config changed.
class ChangedCheckpoint {
 public:
  explicit ChangedCheckpoint(const Json& change) {
    std::filesystem::copy(root + "/tests/golden/lite_like", dir_ / "model");
    Json config = read_json(dir_ / "model/config.json");
    config.update(change);
    std::filesystem::remove(dir_ / "model/config.json");
    write_file(dir_ / "model/config.json", config.dump());
  }
  Outcome info() const { return run_fathom("info " + (dir_ / "model")); }
  Outcome verify() const {
    return run_fathom("verify " + (dir_ / "model") + " " + (dir_ / "model/golden.safetensors"));
  }

 private:
  TempDir dir_;
};

TEST(Info, ChecksACheckpointAsVerifyDoes) {
  EXPECT_EQ(ChangedCheckpoint(Json::object()).info().exit_code, 0);
  const std::pair<Json, const char*> cases[] = {
      {{{"vocab_size", 7}},
       "model-00001-of-000002.safetensors: tensor 'model.embed_tokens.weight' has shape ["},
      {{{"num_hidden_layers", 9}}, "model.safetensors.index.json: tensor 'model.layers."},
      {{{"num_hidden_layers", 1}}, "is not part of this model; and "},
      {{{"quantization_config", {{"quant_method", "awq"}}}},
       "'quantization_config' is given (quant_method 'awq')"},
      {{{"hidden_size", int64_t{1} << 40}}, "'hidden_size' is 1099511627776: expected 1 to 16777216"}};
  for (const auto& [change, what] : cases) {
    const ChangedCheckpoint changed(change);
    const Outcome info = changed.info();
    EXPECT_TRUE(is_one_clear_error(info, what)) << info.exit_code << info.err;
    EXPECT_EQ(changed.verify().err, info.err);
  }
}

TEST(Info, WarningsGoToStandardError) {
  const Outcome run = run_fathom("info --json " + root + "/tests/model/data/tied_stale_head");
  ASSERT_EQ(run.exit_code, 0) << run.err;
  EXPECT_TRUE(Json::parse(run.out).contains("parameters"));
  EXPECT_NE(run.err.find("'lm_head.weight' is ignored"), std::string::npos);
  EXPECT_EQ(std::count(run.err.begin(), run.err.end(), '\n'), 1) << run.err;
}

}  // namespace
}  // namespace fathom::testing
