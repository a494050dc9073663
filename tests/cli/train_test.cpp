// fathom train as a user runs it: prepare a text, train a model on it by flags alone, stop and continue, read
// it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <set>
#include <sstream>

#include "base/error.h"
#include "cli/commands.h"
#include "cli/small_recipe.h"
#include "comm/world.h"
#include "io/file.h"
#include "io/json.h"
#include "model/model_folder.h"
#include "support/needs_gpu.h"
#include "support/temp_dir.h"
#include "text/tokenizer.h"
#include "train/recipe.h"

namespace fathom {
namespace {

using ::testing::HasSubstr;

std::string run(std::vector<std::string> arguments) {
  World alone;
  CLI::App app;
  add_prepare(app);
  add_train(app, alone);
  add_extend(app, alone);
  std::reverse(arguments.begin(), arguments.end());
  ::testing::internal::CaptureStdout();
  try {
    app.parse(arguments);
  } catch (...) {
    ::testing::internal::GetCapturedStdout();
    throw;
  }
  return ::testing::internal::GetCapturedStdout();
}

// A recipe with the small sizes, in a folder with its data.
class TrainCommand : public ::testing::Test {
 protected:
  TrainCommand() {
    write_file(dir_ / "text.jsonl", testing::small_text());
    run({"prepare", dir_ / "text.jsonl", "--train-tokenizer", "280", "--validation", "0.1", "--out",
         dir_ / "data"});
    write_file(dir_ / "recipe.toml", testing::small_recipe_model + R"([data]
sequence_length = 32
[schedule]
steps = 6
[run]
threads = 1
)");
  }
  std::string train(std::vector<std::string> more) {
    std::vector<std::string> arguments = {"train",       "--config",     dir_ / "recipe.toml", "--data.train",
                                          dir_ / "data", "--run.output", dir_ / "out"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run(arguments);
  }

  TempDir dir_;
};

TEST_F(TrainCommand, TrainsStopsAndGoesOn) {
  EXPECT_THAT(train({"--run.stop_at", "3"}), HasSubstr("stopped after step 3"));
  EXPECT_THAT(error_of([&] { train({}); }), HasSubstr("--resume"));
  const std::string end = train({"--resume"});
  EXPECT_THAT(end, HasSubstr("finished after step 6: training loss "));
  EXPECT_THAT(end, HasSubstr("validation loss "));
  EXPECT_THAT(end, HasSubstr("model: " + (dir_ / "out") + "/model"));
  const Model model = load_model(Device::cpu(1), dir_ / "out/model");
  const Tokenizer tokenizer = Tokenizer::load(dir_ / "out/model");
  EXPECT_EQ(model.config.bos_token_id, tokenizer.bos_id());
  EXPECT_EQ(model.config.eos_token_ids[0], tokenizer.eos_id());
}

TEST_F(TrainCommand, IsLengthenedByAFlagThatSaysSo) {
  train({});
  EXPECT_THAT(train({"--resume"}), HasSubstr("finished, after step 6; nothing was changed"));
  EXPECT_THAT(
      error_of([&] {
        train({"--resume", "--schedule.steps", "8"});
      }),
      HasSubstr("schedule.steps = 6, now 8; to continue with the new values: --resume-with schedule.steps"));
  EXPECT_THAT(train({"--schedule.steps", "8", "--optimizer.lr", "1e-4", "--resume-with", "schedule.steps",
                     "optimizer.lr"}),
              HasSubstr("finished after step 8"));
  EXPECT_THAT(train({"--schedule.steps", "8", "--optimizer.lr", "1e-4", "--resume"}),
              HasSubstr("finished, after step 8"));
}

TEST_F(TrainCommand, WithoutATokenizerIfItIsSaid) {
  std::filesystem::remove(dir_ / "data/tokenizer.json");
  EXPECT_THAT(error_of([&] { train({}); }), HasSubstr("--no-tokenizer"));
  train({"--no-tokenizer"});
  EXPECT_TRUE(std::filesystem::exists(dir_ / "out/model/config.json"));
  EXPECT_FALSE(std::filesystem::exists(dir_ / "out/model/tokenizer.json"));
}

TEST_F(TrainCommand, ProfileWritesATrace) {
  train({"--profile", dir_ / "trace.json"});
  const Json events = read_json(dir_ / "trace.json")["traceEvents"];
  std::set<std::string> ops;
  double end = 0;
  int waits = 0;
  for (const Json& e : events) {
    waits += e["name"] == "waiting for data";
    if (e["ph"] == "M" || e["cat"] == "part") continue;
    ops.insert(e["name"].get<std::string>());
    EXPECT_EQ(e["cat"], "op") << "one process waits for nobody";
    EXPECT_EQ(e["ph"], "X");
    EXPECT_GE(e["ts"].get<double>(), end) << "ops take turns";
    EXPECT_GE(e["dur"].get<double>(), 0);
    end = e["ts"].get<double>() + e["dur"].get<double>() - 1e-3;
  }
  for (const char* op : {"linear_forward", "grouped_linear_backward_weight", "attention_backward", "adamw"})
    EXPECT_TRUE(ops.contains(op)) << op;
  EXPECT_EQ(waits, 1) << "of the step for its batch";
}

TEST_F(TrainCommand, BadFlagsAreOneError) {
  EXPECT_THAT(error_of([&] { train({"--run.device", "tpu"}); }), HasSubstr("device 'tpu' is not known"));
  EXPECT_THAT(error_of([&] { train({"--optimizer.lr", "fast"}); }), HasSubstr("optimizer.lr"));
  EXPECT_THROW(train({"--optimizer.speed", "3"}), CLI::ExtrasError);
  EXPECT_FALSE(std::filesystem::exists(dir_ / "out"));
}

TEST_F(TrainCommand, CudaIsOneFlagAway) {
  if (testing::gpus() == 0) {
    EXPECT_THAT(error_of([&] {
                  train({"--run.device", "cuda"});
                }),
                ::testing::AnyOf(HasSubstr("this build has no CUDA"), HasSubstr("NVIDIA")));
    EXPECT_FALSE(std::filesystem::exists(dir_ / "out"));
    GTEST_SKIP() << "the rest " << testing::no_gpu;
  }
  EXPECT_THAT(train({"--run.device", "cuda", "--run.precision", "bf16", "--profile", dir_ / "trace.json"}),
              HasSubstr("finished after step 6: training loss "));
  EXPECT_FALSE(read_json(dir_ / "trace.json")["traceEvents"].empty());
  EXPECT_EQ(load_model(Device::cpu(1), dir_ / "out/model").dtype, DType::bf16);
}

TEST_F(TrainCommand, AListIsGivenInSeveralWays) {
  std::filesystem::copy(dir_ / "data", dir_ / "more", std::filesystem::copy_options::recursive);
  std::set<std::string> outcomes;
  int n = 0;
  const std::string both = "[\"" + (dir_ / "data") + "\", \"" + (dir_ / "more") + "\"]";
  const std::vector<std::vector<std::string>> ways = {
      {"--data.train", dir_ / "data", "--data.train", dir_ / "more"},
      {"--data.train", dir_ / "data", dir_ / "more"},
      {"--data.train", both}};
  for (const std::vector<std::string>& way : ways) {
    std::vector<std::string> arguments = {"train", "--config", dir_ / "recipe.toml", "--run.output",
                                          dir_ / fmt::format("out{}", n++)};
    arguments.insert(arguments.end(), way.begin(), way.end());
    const std::string printed = run(arguments);
    outcomes.insert(printed.substr(0, printed.find('\n')));
  }
  EXPECT_EQ(outcomes.size(), 1u) << "the same data each time";
  const std::string first_alone = run({"train", "--config", dir_ / "recipe.toml", "--run.output",
                                       dir_ / "one", "--data.train", dir_ / "data"});
  EXPECT_NE(*outcomes.begin(), first_alone.substr(0, first_alone.find('\n')));
}

TEST(TrainFlags, EveryKeyOfTheRecipeIsOne) {
  World alone;
  CLI::App app;
  add_train(app, alone);
  for (const RecipeKey& key : recipe_keys())
    EXPECT_NE(app.get_subcommand("train")->get_option_no_throw("--" + key.name), nullptr) << key.name;
}

std::vector<Json> samples_of(const std::string& run) {
  std::vector<Json> samples;
  std::istringstream lines(read_file(run + "/samples.jsonl"));
  for (std::string line; std::getline(lines, line);) samples.push_back(parse_json(line, "samples"));
  return samples;
}

TEST_F(TrainCommand, WritesSamplesAndTrainsTheSame) {
  train({});
  const std::vector<std::string> sampling = {"--config",
                                             dir_ / "recipe.toml",
                                             "--data.train",
                                             dir_ / "data",
                                             "--run.output",
                                             dir_ / "sampled",
                                             "--sample.prompts",
                                             "the low sun",
                                             "and",
                                             "--sample.every",
                                             "3",
                                             "--sample.tokens",
                                             "5"};
  const auto with = [&](std::vector<std::string> more) {
    std::vector<std::string> arguments = {"train"};
    arguments.insert(arguments.end(), sampling.begin(), sampling.end());
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run(arguments);
  };
  with({"--run.stop_at", "4"});
  with({"--resume"});
  const std::string sampled = dir_ / "sampled";
  std::vector<int64_t> steps;
  for (const Json& sample : samples_of(sampled)) {
    steps.push_back(sample.at("step"));
    EXPECT_EQ(sample.at("prompt"), steps.size() % 2 == 1 ? "the low sun" : "and");
    EXPECT_FALSE(sample.at("text").get<std::string>().empty());
  }
  EXPECT_EQ(steps, (std::vector<int64_t>{0, 0, 3, 3, 6, 6}));
  EXPECT_EQ(read_file(sampled + "/model/model.safetensors"),
            read_file(dir_ / "out" + "/model/model.safetensors"));
}

TEST_F(TrainCommand, SaysWhatCannotBeSampled) {
  EXPECT_THAT(error_of([&] {
                train({"--sample.prompts", "the low sun", "--model.max_position_embeddings", "32",
                       "--sample.prompts", std::string(200, '.')});
              }),
              HasSubstr("context"));
  std::filesystem::remove_all(dir_ / "out");
  std::filesystem::remove(dir_ / "data" + "/tokenizer.json");
  EXPECT_THAT(error_of([&] {
                train({"--sample.prompts", "the", "--no-tokenizer"});
              }),
              HasSubstr("sample.prompts needs a tokenizer"));
}

// The fixture's model is trained on 32 tokens.
TEST_F(TrainCommand, ExtendsAndTrainsAtTheNewLength) {
  train({});
  const std::string model = dir_ / "out" + "/model";
  const auto extend = [&](const std::string& from, std::vector<std::string> more) {
    std::vector<std::string> arguments = {"extend", from};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run(arguments);
  };
  const auto trained = [&](const std::string& out, const char* to) {
    return extend(
        model, {"--to", to, "--from", "32", "--config", dir_ / "recipe.toml", "--data.train", dir_ / "data",
                "--data.sequence_length", "96", "--schedule.steps", "2", "--run.output", out});
  };
  EXPECT_THAT(trained(dir_ / "longer", "128"), HasSubstr("finished after step 2"));
  const std::string longer = dir_ / "longer" + "/model";
  const Config once = read_config(longer);
  EXPECT_EQ(once.max_position_embeddings, 128);
  EXPECT_EQ(once.rope_scaling.factor, 4);
  EXPECT_EQ(once.rope_scaling.original_max_position_embeddings, 32);

  const std::string again = dir_ / "again";
  EXPECT_THAT(extend(longer, {"--to", "256", "--out", again}),
              HasSubstr("256 tokens of context instead of 128"));
  const Config twice = read_config(again);
  EXPECT_EQ(twice.rope_scaling.factor, 8);
  EXPECT_EQ(twice.rope_scaling.original_max_position_embeddings, 32);
  EXPECT_EQ(read_file(again + "/model.safetensors"), read_file(longer + "/model.safetensors"));
  EXPECT_EQ(read_file(again + "/tokenizer.json"), read_file(longer + "/tokenizer.json"));

  const auto error = [&](const std::string& from, std::vector<std::string> more) {
    return error_of([&] { extend(from, more); });
  };
  EXPECT_THAT(error(longer, {"--to", "64", "--out", again}), HasSubstr("reaches 128 tokens already"));
  EXPECT_THAT(error(longer, {"--to", "256", "--from", "64", "--out", again}),
              HasSubstr("from 32 tokens before, not from 64"));
  EXPECT_THAT(error(longer, {"--to", "256"}), HasSubstr("--out"));
  EXPECT_THAT(error(longer, {"--to", "256", "--out", again, "--schedule.steps", "3"}),
              HasSubstr("without training"));
  EXPECT_THAT(error(dir_ / "nowhere", {"--to", "256", "--out", again}), HasSubstr("nowhere"));
}

}  // namespace
}  // namespace fathom
