// Recipes: the shipped ones hold, flags and files are one table, and each kind of mistake is one clear error.
#include "train/recipe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "io/file.h"
#include "support/paths.h"
#include "support/temp_dir.h"
#include "train/schedule.h"

namespace fathom {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

const std::string config_path = testing::source_dir() + "/configs/deepseek-v2-lite.json";

// The smallest valid recipe.
const std::string good = "[model]\nconfig = \"" + config_path + R"("
[data]
train = "data"
[schedule]
steps = 10
[run]
output = "out"
)";

constexpr std::string_view extends = "-extend";

class RecipeTest : public ::testing::Test {
 protected:
  Recipe read(const std::string& text) const {
    write_file(dir_ / "r.toml", text);
    return read_recipe(dir_ / "r.toml");
  }
  std::string error(const std::string& text) const {
    return error_of([&] { read(text); });
  }

  TempDir dir_;
};

// The method of "align-grpo-preference" is grpo, that of "align-lora" sft; what it starts from is made by an
// earlier stage.
TEST_F(RecipeTest, EveryShippedStageOfAlignmentHolds) {
  using enum TrainingMethod;
  for (const auto& [name, method] : {std::pair("sft", sft), std::pair("lora", sft), std::pair("reward", reward),
                                     std::pair("dpo", dpo), std::pair("grpo", grpo), std::pair("grpo-preference", grpo)})
    EXPECT_EQ(read_recipe(testing::source_dir() + "/recipes/align-" + name + ".toml", {}, method).method, method);
}

TEST_F(RecipeTest, EveryShippedRecipeHolds) {
  int count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(testing::source_dir() + "/recipes")) {
    if (entry.path().extension() != ".toml" || entry.path().stem().string().ends_with(extends)) continue;
    const std::string name = entry.path().stem().string();
    if (name.starts_with("align-") && name != "align-base") continue;
    const Recipe recipe = read_recipe(entry.path().string());
    const Config config = model_config(recipe);
    EXPECT_LE(recipe.data.sequence_length, config.max_position_embeddings) << entry.path();
    ++count;
  }
  EXPECT_GE(count, 5);
}

// They start from a model of the recipe that they are named after.
TEST_F(RecipeTest, EveryShippedExtensionHolds) {
  int count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(testing::source_dir() + "/recipes")) {
    const std::string name = entry.path().stem().string();
    if (!name.ends_with(extends)) continue;
    SCOPED_TRACE(name);
    const Recipe before = read_recipe(testing::source_dir() + "/recipes/" +
                                      name.substr(0, name.size() - extends.size()) + ".toml");
    write_file(dir_ / "config.json", config_to_json(model_config(before), "float32").dump());
    const int64_t trained = before.data.sequence_length;
    const std::vector<Setting> extension = {{"model.init_from", dir_.path(), "test"},
                                            {"model.extend_from", trained, "test"},
                                            {"model.extend_to", 40 * trained, "test"}};
    const Recipe recipe = read_recipe(entry.path().string(), extension);
    const Config config = model_config(recipe);
    EXPECT_LE(recipe.data.sequence_length, config.max_position_embeddings);
    EXPECT_GT(recipe.data.sequence_length, trained);
    EXPECT_EQ(config.rope_scaling.factor, 40);
    EXPECT_EQ(config.rope_scaling.original_max_position_embeddings, trained);
    EXPECT_EQ(config.aux_loss_alpha, model_config(before).aux_loss_alpha);
    EXPECT_EQ(recipe.model.capacity_factor, before.model.capacity_factor);
    ++count;
  }
  EXPECT_GE(count, 3);
}

TEST_F(RecipeTest, DeepSeekV2AsPublished) {
  const Recipe r = read_recipe(testing::source_dir() + "/recipes/deepseek-v2.toml");
  const Config c = model_config(r);
  EXPECT_EQ(c.initializer_range, 0.006);
  EXPECT_EQ(c.aux_loss_alpha, 0.003);
  EXPECT_EQ(r.model.device_balance_alpha, 0.05);
  EXPECT_EQ(r.model.communication_balance_alpha, 0.02);
  EXPECT_EQ(r.model.capacity_factor, 1);
  EXPECT_EQ(c.rope_scaling.type, RopeType::plain);  // pretraining comes before the stretch
  EXPECT_EQ(batch_sequences(r.batch, 0), 2304);
  EXPECT_EQ(batch_sequences(r.batch, 225'000'000'000), 9216);
  EXPECT_NEAR(learning_rate(r, {150'000, 5'000'000'000'000}), 7.584e-5, 1e-12);
}

TEST_F(RecipeTest, WhatActsBetweenGroupsNeedsGroups) {
  const std::string lite = testing::source_dir() + "/recipes/deepseek-v2-lite.toml",
                    v2 = testing::source_dir() + "/recipes/deepseek-v2.toml";
  for (const char* key : {"device_balance_alpha", "communication_balance_alpha", "capacity_factor"}) {
    const Setting with = flag_setting(std::string("model.") + key, "0.5");
    model_config(read_recipe(v2, {&with, 1}));
    EXPECT_THAT(error_of([&] {
                  model_config(read_recipe(lite, {&with, 1}));
                }),
                AllOf(HasSubstr(std::string("'model.") + key + "' is 0.5"), HasSubstr("groups of experts")));
    const std::vector<Setting> dense = {with, flag_setting("model.n_routed_experts", "0")};
    EXPECT_THAT(error_of([&] { model_config(read_recipe(v2, dense)); }), HasSubstr("groups of experts"));
  }
}

TEST_F(RecipeTest, ABiasMovesWhereExpertsAreChosenWithOne) {
  const std::string v2 = testing::source_dir() + "/recipes/deepseek-v2.toml";
  const Setting speed = flag_setting("model.bias_update_speed", "0.001");
  EXPECT_THAT(
      error_of([&] {
        model_config(read_recipe(v2, {&speed, 1}));
      }),
      AllOf(HasSubstr("'model.bias_update_speed' is 0.001"), HasSubstr("topk_method = \"noaux_tc\"")));
  std::vector<Setting> with = {speed, flag_setting("model.topk_method", "noaux_tc")};
  EXPECT_EQ(model_config(read_recipe(v2, with)).expert_groups(), 8);
  const std::string lite = testing::source_dir() + "/recipes/deepseek-v2-lite.toml";
  EXPECT_EQ(model_config(read_recipe(lite, with)).expert_groups(), 1);
  with.push_back(flag_setting("model.n_routed_experts", "0"));
  EXPECT_THAT(error_of([&] { model_config(read_recipe(lite, with)); }), HasSubstr("model.bias_update_speed"));
}

TEST_F(RecipeTest, DeepSeekV2LiteAsPublished) {
  const Recipe r = read_recipe(testing::source_dir() + "/recipes/deepseek-v2-lite.toml");
  const Config c = model_config(r);
  EXPECT_EQ(c.aux_loss_alpha, 0.001);
  EXPECT_EQ(r.batch.sequences, 4608);
  EXPECT_NEAR(learning_rate(r, {150'000, 5'200'000'000'000}), 4.194e-5, 1e-8);
}

TEST_F(RecipeTest, ReadsFilesAndFlagsTheSame) {
  write_file(dir_ / "r.toml", good);
  const std::vector<std::pair<std::string, std::string>> flags = {
      {"optimizer.lr", "1e-3"},     {"schedule.decay", "step"},        {"schedule.decay_at", "[0.5, 0.75]"},
      {"run.recompute", "true"},    {"run.precision", "bf16"},         {"data.train", "[\"a\", \"b\"]"},
      {"model.hidden_size", "128"}, {"model.rope_scaling.factor", "8"}};
  std::vector<Setting> settings;
  for (const auto& [key, text] : flags) settings.push_back(flag_setting(key, text));
  const Recipe by_flags = read_recipe(dir_ / "r.toml", settings);
  const Recipe by_file = read(R"(
    model = { config = ")" + config_path +
                              R"(", hidden_size = 128, rope_scaling = { factor = 8 } }
    data.train = ["a", "b"]
    optimizer.lr = 1e-3
    schedule = { steps = 10, decay = "step", decay_at = [0.5, 0.75] }
    run = { output = "out", recompute = true, precision = "bf16" })");
  EXPECT_EQ(recipe_to_json(by_flags), recipe_to_json(by_file));
  EXPECT_EQ(model_config(by_flags), model_config(by_file));
  EXPECT_EQ(model_config(by_flags).rope_scaling.factor, 8);
  EXPECT_EQ(model_config(by_flags).rope_scaling.mscale, 0.707);  // what is not given stays the config's
  EXPECT_EQ(by_flags.data.train, (std::vector<std::string>{"a", "b"}));
}

TEST_F(RecipeTest, SourcesAreTablesOfTheirOwn) {
  const std::string rest = R"(
    model.config = ")" + config_path +
                           R"("
    schedule.steps = 10
    run.output = "out"
    )";
  const auto sources = [&](const std::string& text) { return read(rest + text).data; };
  const Recipe::Data data = sources(R"(
    [[data.source]]
    path = "a"
    weight = 3
    [[data.source]]
    path = "b"
    weight = 0.5)");
  EXPECT_EQ(data.train, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(data.weights, (std::vector<double>{3, 0.5}));
  EXPECT_TRUE(sources("[[data.source]]\npath = \"a\"\n").weights.empty());
  EXPECT_THAT(error(rest + "[[data.source]]\npath = \"a\"\nweight = 1\n[[data.source]]\npath = \"b\"\n"),
              HasSubstr("r.toml:5: 1 of 2 [[data.source]] have a weight: give it to all, or to none"));
  EXPECT_THAT(error(rest + "[[data.source]]\nweight = 1\n"),
              HasSubstr("r.toml:5: [[data.source]] needs a path"));
  EXPECT_THAT(error(rest + "[[data.source]]\npath = \"a\"\nwieght = 1\n"),
              HasSubstr("r.toml:7: unknown key 'wieght' of [[data.source]]"));
  EXPECT_THAT(error(rest + "data.source = \"a\"\n"), HasSubstr("'data.source' must be tables"));
  EXPECT_THAT(error(rest + "[[data.source]]\npath = \"a\"\nweight = -1\n"),
              HasSubstr("'data.weights' must be at least 0, got -1"));
  EXPECT_THAT(error(rest + "[data]\ntrain = \"a\"\n[[data.source]]\npath = \"b\"\n"),
              HasSubstr("'data.train' cannot be given beside [[data.source]]"));
}

TEST_F(RecipeTest, EveryKeyIsAFlagAndReadsItsOwnDefault) {
  for (const RecipeKey& key : recipe_keys()) {
    if (key.otherwise.empty()) continue;
    std::vector<Setting> settings = {{key.name, Json::parse(key.otherwise), "test"}};
    write_file(dir_ / "r.toml", good);
    const bool needed = key.name == "model.config" || key.name == "data.train" ||
                        key.name == "schedule.steps" || key.name == "run.output";
    EXPECT_EQ(error_of([&] { read_recipe(dir_ / "r.toml", settings); }).empty(), !needed) << key.name;
  }
}

TEST_F(RecipeTest, UnknownKeysNameFileLineKeyAndValue) {
  EXPECT_THAT(error(good + "[optimizer]\nlearning_rate = 0.5\n"),
              AllOf(HasSubstr("r.toml:10"), HasSubstr("'optimizer.learning_rate'"), HasSubstr("0.5")));
  EXPECT_THAT(error(good + "[model.rope_scaling]\nfaktor = 2\n"), HasSubstr("'model.rope_scaling.faktor'"));
  EXPECT_THAT(error("lr = 1\n" + good), HasSubstr("r.toml:1: unknown key 'lr'"));
  EXPECT_THAT(error_of([] { read_recipe("", std::vector{flag_setting("no.such", "1")}); }),
              HasSubstr("command line: unknown key 'no.such'"));
}

TEST_F(RecipeTest, WrongTypesAndValuesNameFileLineKeyAndValue) {
  const auto line = [&](const char* section, const char* text) {
    return error(good + "[" + section + "]\n" + text + "\n");
  };
  EXPECT_THAT(line("optimizer", "lr = \"fast\""),
              AllOf(HasSubstr("r.toml:10"), HasSubstr("optimizer.lr"), HasSubstr("fast")));
  EXPECT_THAT(line("optimizer", "lr = -1"),
              AllOf(HasSubstr("r.toml:10"), HasSubstr("optimizer.lr"), HasSubstr("-1")));
  EXPECT_THAT(line("optimizer", "beta2 = 1.0"),
              HasSubstr("'optimizer.beta2' must be at least 0 and below 1, got 1"));
  EXPECT_THAT(line("optimizer", "lr = nan"),
              HasSubstr("r.toml:10: key 'optimizer.lr' must be a finite number"));
  EXPECT_THAT(line("optimizer", "lr = 2024-01-01"), HasSubstr("optimizer.lr"));
  EXPECT_THAT(line("batch", "sequences = 1.5"), AllOf(HasSubstr("batch.sequences"), HasSubstr("1.5")));
  EXPECT_THAT(line("batch", "sequences = 0"), HasSubstr("batch.sequences"));
  EXPECT_THAT(line("validation", "every = true"), HasSubstr("validation.every"));
  EXPECT_THAT(error_of([] { read_recipe("", std::vector{flag_setting("run.precision", "f16")}); }),
              HasSubstr("expected f32 or bf16"));
  EXPECT_THAT(line("parallel", "schedule = \"2f2b\""),
              AllOf(HasSubstr("r.toml:10"), HasSubstr("'2f2b': expected 1f1b, zb-h1 or zb-2p")));
  EXPECT_THAT(error_of([] { read_recipe("", std::vector{flag_setting("model.hidden_size", "big")}); }),
              HasSubstr("--model.hidden_size must be a whole number, got 'big'"));
}

TEST_F(RecipeTest, NumbersOfFlagsAreReadStrictly) {
  const auto error = [](const char* key, const char* text) {
    return error_of([&] { flag_setting(key, text); });
  };
  EXPECT_EQ(error("optimizer.lr", "0x10"), "--optimizer.lr must be a number, at least 0, got '0x10'");
  EXPECT_EQ(error("optimizer.lr", "inf"), "--optimizer.lr must be a number, at least 0, got 'inf'");
  EXPECT_EQ(error("optimizer.beta1", "1"), "--optimizer.beta1 must be at least 0 and below 1, got 1");
  EXPECT_EQ(error("schedule.steps", "1e3"), "--schedule.steps must be a whole number, at least 0, got '1e3'");
  EXPECT_EQ(error("batch.sequences", "0"), "--batch.sequences must be at least 1, got 0");
  EXPECT_EQ(error("run.threads", "99999"), "--run.threads must be between 0 and 4096, got 99999");
  EXPECT_EQ(error("run.seed", "-1"), "--run.seed must be at least 0, got -1");
  EXPECT_EQ(error("model.hidden_size", "12x"), "--model.hidden_size must be a whole number, got '12x'");
  EXPECT_EQ(error("model.rope_theta", ""), "--model.rope_theta must be a number, got ''");
  EXPECT_EQ(flag_setting("model.rope_theta", "50000").value, 50000.0);
  for (const char* folder : {"0x10", "2024-01-01", "true"})
    EXPECT_EQ(flag_setting("data.train", folder).value, folder);
}

TEST_F(RecipeTest, TheNearestKeyIsNamed) {
  EXPECT_THAT(error(good + "[optimizer]\nbeta_1 = 0.5\n"), HasSubstr("did you mean optimizer.beta1?"));
  EXPECT_THAT(error("hidden_size = 1\n" + good), HasSubstr("did you mean model.hidden_size?"));
}

TEST_F(RecipeTest, SettingsMustGoTogether) {
  const auto with = [&](const std::vector<std::pair<std::string, std::string>>& flags) {
    write_file(dir_ / "r.toml", good);
    std::vector<Setting> settings;
    for (const auto& [key, text] : flags) settings.push_back(flag_setting(key, text));
    return error_of([&] { model_config(read_recipe(dir_ / "r.toml", settings)); });
  };
  EXPECT_THAT(with({{"schedule.tokens", "5"}}),
              HasSubstr("one of schedule.steps, schedule.tokens and run.epochs; they are 10, 5 and 0"));
  EXPECT_THAT(with({{"run.epochs", "1.5"}}), HasSubstr("they are 10, 0 and 1.5"));
  EXPECT_EQ(with({{"run.epochs", "1.5"}, {"schedule.steps", "0"}}), "");
  EXPECT_THAT(with({{"schedule.decay", "step"}}), HasSubstr("schedule.decay_at"));
  EXPECT_THAT(with({{"schedule.decay", "step"}, {"schedule.decay_at", "[0.9, 0.6]"}}),
              HasSubstr("must rise"));
  EXPECT_THAT(with({{"schedule.decay_at", "[0.5]"}}), HasSubstr("needs schedule.decay"));
  EXPECT_THAT(with({{"batch.sequences", "6"}, {"batch.micro_batch", "4"}}),
              HasSubstr("multiple of batch.micro_batch"));
  EXPECT_THAT(with({{"batch.ramp_from", "4"}}), HasSubstr("go together"));
  EXPECT_THAT(with({{"batch.ramp_from", "400"}, {"batch.ramp_tokens", "5"}}),
              HasSubstr("at most batch.sequences"));
  EXPECT_THAT(with({{"model.init_from", "somewhere"}}), HasSubstr("one of model.config and model.init_from"));
  EXPECT_THAT(with({{"model.qk_rope_head_dim", "7"}}), HasSubstr("qk_rope_head_dim"));
}

// Data and output are relative to where the command runs, the config to the recipe that names it.
TEST_F(RecipeTest, FindsItsConfigBesideItself) {
  std::filesystem::create_directories(dir_ / "recipes");
  std::filesystem::create_directories(dir_ / "configs");
  std::filesystem::copy_file(config_path, dir_ / "configs/small.json");
  std::string text = good;
  text.replace(text.find(config_path), config_path.size(), "../configs/small.json");
  write_file(dir_ / "recipes/r.toml", text);
  const Recipe recipe = read_recipe(dir_ / "recipes/r.toml");
  EXPECT_EQ(recipe.model.config, dir_ / "configs/small.json");
  EXPECT_EQ(model_config(recipe), read_config(config_path));
  EXPECT_EQ(recipe.run.output, "out");
  EXPECT_EQ(recipe.data.train, std::vector<std::string>{"data"});
  const Setting flag = flag_setting("model.config", "here.json");
  EXPECT_EQ(read_recipe(dir_ / "recipes/r.toml", {&flag, 1}).model.config, "here.json");
}

TEST_F(RecipeTest, BadTomlNamesTheLine) {
  EXPECT_THAT(error("[model\nconfig = 3\n"), HasSubstr("r.toml:1"));
  EXPECT_THAT(error(good + "[run]\n"), HasSubstr("r.toml:9"));  // a section twice
  EXPECT_THAT(error_of([] { read_recipe("/nowhere/r.toml"); }), HasSubstr("/nowhere/r.toml"));
}

}  // namespace
}  // namespace fathom
