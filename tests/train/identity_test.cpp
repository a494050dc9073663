// Data and tokenizers are compared wherever two of them meet, and an error names both.
#include "train/identity.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "small_run.h"
#include "train/ignored.h"

namespace fathom {
namespace {

using namespace testing;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
namespace fs = std::filesystem;

class Identity : public ::testing::Test {
 protected:
  std::string error(const Flags& flags = {}) const {
    return error_of([&] { Trainer(small_.recipe("out", flags)); });
  }
  // Both files, each with its identity.
  static auto names(const std::string& file, const std::string& other) {
    return AllOf(HasSubstr(file), HasSubstr(other), HasSubstr("(xxh3:"),
                 HasSubstr(short_identity(tokenizer_identity(small_tokenizer(), ""))),
                 HasSubstr("not the tokenizer of the training data"));
  }
  std::string another_tokenizer(const std::string& folder) const {
    fs::create_directories(small_.path(folder));
    write_file(small_.path(folder) + "/tokenizer.json", small_tokenizer("c d"));
    return small_.path(folder);
  }

  SmallRun small_;
  const std::string shard_ = small_.path("data") + "/train-00000.safetensors";
};

TEST_F(Identity, OfTheTokenizerBesideTheShards) {
  EXPECT_EQ(error(), "");
  another_tokenizer("data");
  EXPECT_THAT(error(), names(small_.path("data") + "/tokenizer.json", shard_));
}

TEST_F(Identity, OfTheTokenizerThatIsNamed) {
  EXPECT_EQ(error({{"data.tokenizer", small_.path("data")}}), "");
  EXPECT_EQ(error({{"data.tokenizer", small_.path("data") + "/tokenizer.json"}}), "");
  const std::string other = another_tokenizer("other");
  EXPECT_THAT(error({{"data.tokenizer", other}}), names(other + "/tokenizer.json", shard_));
  EXPECT_THAT(error({{"data.tokenizer", small_.path("nowhere")}}), HasSubstr("there is no tokenizer.json"));
}

TEST_F(Identity, OfTheModelToStartFrom) {
  Trainer(small_.recipe("out")).save_model_to(small_.path("model"));
  EXPECT_EQ(error({{"model.init_from", small_.path("model")}}), "");
  another_tokenizer("model");
  EXPECT_THAT(error({{"model.init_from", small_.path("model")}}),
              names(small_.path("model") + "/tokenizer.json", shard_));
  fs::remove(small_.path("model") + "/tokenizer.json");
  EXPECT_THAT(
      error({{"model.init_from", small_.path("model")}}),
      AllOf(HasSubstr(small_.path("model")), HasSubstr("no tokenizer.json"), HasSubstr("--no-tokenizer")));
  EXPECT_EQ(error({{"model.init_from", small_.path("model")}, {"data.no_tokenizer", "true"}}), "");
}

TEST_F(Identity, OfTheValidationData) {
  write_corpus(small_.path("val"), "val", 20, 2);
  EXPECT_EQ(error({{"data.validation", small_.path("val")}}), "");
  another_tokenizer("val");
  EXPECT_THAT(error({{"data.validation", small_.path("val")}}),
              names(small_.path("val") + "/tokenizer.json", shard_));
  TokenShardWriter writer(small_.path("val"), "val", small_vocabulary_of(small_tokenizer("c d")), 1000);
  writer.add(std::vector<int32_t>(100, 5));
  writer.finish();
  EXPECT_THAT(error({{"data.validation", small_.path("val")}}),
              AllOf(HasSubstr("another tokenizer than the training data"), HasSubstr("val-00000"),
                    HasSubstr("train-00000")));
}

TEST_F(Identity, AModelWithoutATokenizerIsAskedFor) {
  fs::remove(small_.path("data") + "/tokenizer.json");
  EXPECT_THAT(error(), AllOf(HasSubstr("no tokenizer.json"), HasSubstr("--no-tokenizer")));
  EXPECT_EQ(error({{"data.no_tokenizer", "true"}}), "");
}

TEST_F(Identity, AShardOfItsOwnIsNoValidationData) {
  const Trainer trainer(small_.recipe("out", {{"data.train", shard_}}));
  EXPECT_FALSE(trainer.data().own_validation);
  EXPECT_EQ(trainer.validation_windows(), 0);
}

TEST(TokenizerIdentity, IsOfWhatDecidesTheIds) {
  const auto of = [](const Json& json, int indent = -1) {
    return tokenizer_identity(json.dump(indent), "t");
  };
  const Json json = parse_json(small_tokenizer(), "t");
  const std::string same = of(json);
  EXPECT_EQ(of(json, 4), same);
  Json other = json;
  other["model"]["merges"] = Json::array({Json::array({"a", "b"})});  // as newer releases write it
  other["truncation"] = {{"max_length", 5}};
  other["decoder"] = {{"type", "ByteLevel"}};
  other["normalizer"] = {{"type", "Sequence"}, {"normalizers", Json::array()}};
  other["model"]["ignore_merges"] = false;
  other["added_tokens"][0]["lstrip"] = false;
  EXPECT_EQ(of(other), same);

  const auto differs = [&](const char* pointer, const Json& value) {
    Json changed = json;
    changed[Json::json_pointer(pointer)] = value;
    EXPECT_NE(of(changed), same) << pointer;
  };
  differs("/model/vocab/t3", 999);
  differs("/model/vocab/new", 37);
  differs("/model/merges/0", "a c");
  differs("/model/ignore_merges", true);
  differs("/added_tokens/0/content", "<s>");
  differs("/added_tokens/0/special", false);
  differs("/pre_tokenizer", {{"type", "ByteLevel"}});
  differs("/normalizer", {{"type", "NFC"}});
  EXPECT_THAT(error_of([] { tokenizer_identity("{\"a\": 1}", "x.json"); }), HasSubstr("x.json"));
}

TEST(IgnoredSettings, AreSaid) {
  const SmallRun small;
  const auto said = [&](const Flags& flags, ValidationData validation = {true, true}) {
    const Recipe recipe = small.recipe("out", flags);
    return ignored_settings(recipe, model_config(recipe), validation);
  };
  EXPECT_THAT(said({}), IsEmpty());
  EXPECT_THAT(said({{"model.attention_dropout", "0.1"}}), Contains(HasSubstr("attention_dropout = 0.1")));
  EXPECT_THAT(said({{"schedule.final_factor", "0.2"}}), Contains(HasSubstr("schedule.final_factor")));
  EXPECT_THAT(said({{"schedule.final_factor", "0.2"}, {"schedule.decay", "cosine"}}), IsEmpty());
  EXPECT_THAT(said({{"data.validation_fraction", "0.2"}}), Contains(HasSubstr("validation shards")));
  EXPECT_THAT(said({{"validation.every", "2"}}, {}), Contains(HasSubstr("no validation data")));
  EXPECT_THAT(said({{"run.recompute", "true"}, {"run.recompute_layers", "1"}}),
              Contains(HasSubstr("run.recompute_layers is ignored")));
  EXPECT_THAT(said({{"model.n_group", "2"}}), Contains(HasSubstr("model.n_group")));
  EXPECT_THAT(said({{"parallel.schedule", "1f1b"}}), Contains(HasSubstr("parallel.schedule")));
  EXPECT_THAT(said({{"parallel.schedule", "1f1b"}, {"parallel.pipeline", "2"}}), IsEmpty());
  EXPECT_THAT(said({{"model.norm_topk_prob", "true"}, {"model.routed_scaling_factor", "2"}}),
              Contains(HasSubstr("routed_scaling_factor")));
  const Json config = {{"attention_dropout", 0.2}, {"hidden_dropout", 0.0}};
  write_file(small.path("config.json"), config.dump());
  Recipe recipe = small.recipe("out");
  const Config c = model_config(recipe);
  recipe.model.config = small.path("config.json");
  EXPECT_THAT(ignored_settings(recipe, c, {true, true}),
              ::testing::ElementsAre(AllOf(HasSubstr("config.json"), HasSubstr("attention_dropout = 0.2"))));
}

}  // namespace
}  // namespace fathom
