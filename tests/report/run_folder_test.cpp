#include "report/run_folder.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <filesystem>

#include "io/file.h"
#include "support/temp_dir.h"

namespace fathom {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

class RunFolderTest : public ::testing::Test {
 protected:
  RunFolderTest() { write("metrics.jsonl", "{\"step\":1,\"time\":1,\"loss\":5}\n"); }
  void write(const std::string& name, const std::string& text) {
    const std::string path = dir_ / name;
    std::filesystem::create_directories(std::filesystem::path(path).parent_path());
    write_file(path, text);
  }
  RunFolder read() { return read_run_folder(dir_.path(), {}); }
  std::string error() {
    return error_of([&] { read(); });
  }
  TempDir dir_;
};

TEST_F(RunFolderTest, MetricsAloneAreEnough) {
  const RunFolder run = read();
  EXPECT_EQ(run.metrics.last_step, 1);
  EXPECT_TRUE(run.recipe.empty());
  EXPECT_THAT(run.samples, SizeIs(0));
  EXPECT_THAT(run.load.steps, SizeIs(0));
}

TEST_F(RunFolderTest, TheRecipeHasTheModelsFields) {
  write("run.json", R"({"format": 1, "ranks": 2, "recipe": {"optimizer.lr": 0.5, "data.train": ["a"]},
                        "config": {"hidden_size": 64, "rope_scaling": {"factor": 40}}})");
  OrderedJson recipe = read().recipe;
  EXPECT_EQ(recipe["optimizer.lr"], 0.5);
  EXPECT_EQ(recipe["data.train"], OrderedJson({"a"}));
  EXPECT_EQ(recipe["model.hidden_size"], 64);
  EXPECT_EQ(recipe["model.rope_scaling.factor"], 40);
  EXPECT_EQ(recipe["ranks"], 2);
}

TEST_F(RunFolderTest, SaysWhereTheRunWasRolledBack) {
  write("run.json", R"({"format": 1, "recipe": {}})");
  EXPECT_THAT(read().rollbacks, SizeIs(0));
  write("run.json", R"({"format": 1, "recipe": {}, "rollbacks": [{"step": 7, "to": 5, "why": "a spike"}]})");
  ASSERT_THAT(read().rollbacks, SizeIs(1));
  EXPECT_EQ(read().rollbacks[0].step, 7);
  EXPECT_EQ(read().rollbacks[0].to, 5);
  EXPECT_EQ(read().rollbacks[0].why, "a spike");
  write("run.json", R"({"format": 1, "recipe": {}, "rollbacks": [{"step": 7, "why": "a spike"}]})");
  EXPECT_THAT(error(), HasSubstr("run.json: field 'to' is missing"));
}

TEST_F(RunFolderTest, OfAnEarlierReleaseTheNewestCheckpointSays) {
  for (const int step : {3, 20}) {
    const std::string folder = fmt::format("step-{:08}/", step);
    write(folder + "trainer.json", fmt::format(R"({{"format": 1, "recipe": {{"optimizer.lr": {}}}}})", step));
    write(folder + "config.json", R"({"hidden_size": 32})");
  }
  std::filesystem::create_directories(dir_ / "step-00000099");
  OrderedJson recipe = read().recipe;
  EXPECT_EQ(recipe["optimizer.lr"], 20);
  EXPECT_EQ(recipe["model.hidden_size"], 32);
}

TEST_F(RunFolderTest, SamplesInOrderTheLaterWins) {
  const auto sample = [](int step, const std::string& text) {
    return fmt::format("{{\"step\":{},\"prompt\":\"p\",\"text\":\"{}\"}}\n", step, text);
  };
  write("samples.jsonl", sample(1, "a") + sample(2, "b") + sample(3, "c") + sample(2, "d") + "{\"step\":");
  std::vector<std::string> texts;
  for (const TextSample& s : read().samples) texts.push_back(s.text);
  EXPECT_THAT(texts, ElementsAre("a", "b", "d"));

  std::string many;
  for (int step = 1; step <= 5000; ++step) many += sample(step, "x");
  write("samples.jsonl", many);
  const std::vector<TextSample> thinned = read().samples;
  EXPECT_THAT(thinned, SizeIs(ReportLimits().samples));
  EXPECT_EQ(thinned.back().step, 5000);

  std::string umlauts;
  for (int i = 0; i < 4000; ++i) umlauts += "\xc3\xa4";
  write("samples.jsonl", sample(1, "x" + umlauts));
  const std::string cut = read().samples.at(0).text;
  EXPECT_EQ(cut, "x" + umlauts.substr(0, 3998) + " [...]") << "between characters";
}

std::string rollout(int step, const std::string& prompt, const std::string& reward) {
  return fmt::format(R"({{"step":{},"time":1,"advantage":{},"answer":"{}","parts":{{"right":{}}},"prompt":"{}","reward":{},)"
                     R"("tokens":5,"truncated":false}})"
                     "\n",
                     step, reward, reward, reward == "null" ? "\"no key\"" : reward, prompt, reward);
}

TEST_F(RunFolderTest, RolloutsByQuestionTheBestAnswerFirst) {
  write("rollouts.jsonl", rollout(1, "a", "0") + rollout(1, "a", "1") + rollout(1, "b", "null") + rollout(2, "b", "0.5") +
                              rollout(3, "c", "1") + rollout(2, "d", "0") + "{\"step\":");
  const std::vector<RolloutGroup> groups = read().rollouts;
  std::vector<std::string> prompts;
  for (const RolloutGroup& group : groups) prompts.push_back(group.prompt);
  ASSERT_THAT(prompts, ElementsAre("a", "b", "b", "d"));
  ASSERT_THAT(groups[0].answers, SizeIs(2));
  EXPECT_EQ(groups[0].answers[0].reward, 1);
  EXPECT_EQ(groups[0].answers[1].text, "0");
  EXPECT_FALSE(groups[1].answers[0].reward || groups[1].answers[0].advantage);
  EXPECT_EQ(groups[1].answers[0].parts[0].second, "no key");
  EXPECT_EQ(groups[2].answers[0].parts[0], std::make_pair(std::string("right"), std::string("0.5")));
}

TEST_F(RunFolderTest, RolloutsAreBounded) {
  std::string many;
  for (int step = 1; step <= 2000; ++step) many += rollout(step, "p", "1");
  for (int i = 0; i < 40; ++i) many += rollout(2001, "last", std::to_string(i));
  write("rollouts.jsonl", many);
  const std::vector<RolloutGroup> groups = read().rollouts;
  EXPECT_THAT(groups, SizeIs(RolloutLimits().groups));
  EXPECT_EQ(groups.back().prompt, "last");
  EXPECT_EQ(groups.back().count, 40);
  ASSERT_THAT(groups.back().answers, SizeIs(RolloutLimits().answers));
  EXPECT_EQ(groups.back().answers.front().reward, 39);
  EXPECT_EQ(groups.back().answers.back().reward, 0);
}

TEST_F(RunFolderTest, OneErrorNamesTheFile) {
  EXPECT_THAT(error_of([&] { read_run_folder(dir_ / "none", {}); }),
              HasSubstr("none: there is no such folder"));
  write("run.json", R"({"format": 2, "recipe": {}})");
  EXPECT_THAT(error(), HasSubstr("run.json: format 2 is not known: expected 1"));
  write("run.json", R"({"format": 1, "recipe": 7})");
  EXPECT_THAT(error(), HasSubstr("run.json: field 'recipe' must be an object"));
  write("run.json", "{\"format\": 1");
  EXPECT_THAT(error(), HasSubstr("run.json: not valid JSON"));
  std::filesystem::remove(dir_ / "run.json");
  write("samples.jsonl", "{\"step\":1}\n");
  EXPECT_THAT(error(), HasSubstr("samples.jsonl:1: field 'prompt'"));
  std::filesystem::remove(dir_ / "metrics.jsonl");
  EXPECT_THAT(error(), HasSubstr("metrics.jsonl: there is none; "));
}

}  // namespace
}  // namespace fathom
