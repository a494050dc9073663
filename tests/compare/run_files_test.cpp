// Folders of results: what is read, and what is refused with one clear error.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "compare/evaluated_run.h"
#include "compare/judged.h"
#include "compare/result_folder.h"

namespace fathom::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class RunFiles : public ::testing::Test {
 protected:
  std::string error(const std::string& name = "a") const {
    return error_of([&] { read_runs({.paths = {dir_ / name}, .names = {}, .tokens = {}, .tasks = {}}); });
  }
  std::vector<std::string> names(const RunChoice& choice) const {
    std::vector<std::string> all;
    for (const EvaluatedRun& run : read_runs(choice)) all.push_back(run.name);
    return all;
  }
  RunChoice choice(const std::vector<std::string>& folders) const {
    RunChoice c;
    for (const std::string& folder : folders) c.paths.push_back(dir_ / folder);
    return c;
  }
  TempDir dir_;
};

TEST_F(RunFiles, AreReadWithEveryItem) {
  MadeTask task = made_task("10");
  task.items[1].more = {
      {"gold", 2}, {"keys", {"x"}}, {"shots", 3}, {"truncated", true}, {"not_run", "too long"}};
  task.run["trained_tokens"] = 5000, task.run["step"] = 5, task.run["limit"] = 2;
  task.write(dir_ / "a");
  const EvaluatedRun run = read_runs(choice({"a"}))[0];
  EXPECT_EQ(run.name, "a");
  EXPECT_EQ(run.training.tokens, 5000);
  const ScoredTask& read = run.tasks.at("t");
  EXPECT_EQ(read.limit, 2);
  ASSERT_EQ(read.items.size(), 2u);
  EXPECT_EQ(read.items[1].right, "2[\"x\"]");
  EXPECT_EQ(read.items[1].shots, 3);
  EXPECT_TRUE(read.items[1].truncated && read.items[1].not_run);
  EXPECT_THAT(read.items[0].scores, ElementsAre(1));
  EXPECT_EQ(read.means[0].value, 0.5);
}

TEST_F(RunFiles, ThatAreNotWholeAreRefused) {
  std::filesystem::create_directories(dir_ / "a");
  EXPECT_THAT(error("nowhere"), HasSubstr("nowhere: there is no such folder"));
  EXPECT_THAT(error(), HasSubstr("a: has no results of fathom eval --out or fathom judge --out"));
  const MadeTask task = made_task("1011");
  task.write(dir_ / "a");
  EXPECT_THAT(error(), IsEmpty());
  write_file(dir_ / "a/t.jsonl", task.records().substr(0, task.records().size() - 5));
  EXPECT_THAT(error(), HasSubstr("a/t.jsonl:4: the line has no end"));
  write_file(dir_ / "a/t.jsonl", "{\"id\": \"0\"\n");
  EXPECT_THAT(error(), HasSubstr("a/t.jsonl:1"));
  write_file(dir_ / "a/t.jsonl", made_task("101").records());
  EXPECT_THAT(error(), HasSubstr("t.jsonl: has 3 records, and "));
  write_file(dir_ / "a/t.jsonl", made_task("1111").records());
  EXPECT_THAT(error(), HasSubstr("its sum is 0.75, that of the records 1"));
  write_file(dir_ / "a/t.jsonl", made_task("101").records() + made_task("1").records());
  EXPECT_THAT(error(), HasSubstr("t.jsonl:4: item 0 is there twice"));
  std::filesystem::remove(dir_ / "a/t.jsonl");
  EXPECT_THAT(error(), HasSubstr("a/t.jsonl: there is none beside"));
  std::filesystem::remove(dir_ / "a/t.result.json");
  EXPECT_THAT(error(), HasSubstr("the run of t was broken off; --resume continues it"));
}

TEST_F(RunFiles, ThatAreMalformedAreRefused) {
  const auto error_with = [&](const char* file, const OrderedJson& change) {
    MadeTask task = made_task("10");
    (std::string(file) == "run" ? task.run : task.result).update(change);
    task.write(dir_ / "a");
    return error();
  };
  EXPECT_THAT(error_with("run", {{"shots", "five"}}),
              HasSubstr("t.run.json: field 'shots' must be an integer"));
  EXPECT_THAT(error_with("run", {{"data", {{"f", 3}}}}), HasSubstr("field 'data.f' must be a string"));
  EXPECT_THAT(error_with("run", {{"task", "u"}}), HasSubstr("t.run.json: is of task u"));
  EXPECT_THAT(error_with("run", {{"trained_tokens", -1}}), HasSubstr("must not be negative"));
  EXPECT_THAT(error_with("result", {{"averages", OrderedJson::array()}}),
              HasSubstr("field 'averages' is empty"));
  EXPECT_THAT(error_with("result", {{"averages", {{{"metric", "sum"}}}}}),
              HasSubstr("field 'over' is missing"));
  // Of an earlier release: nothing says which items stand together.
  EXPECT_THAT(error_with("result", {{"clusters", 1}}), HasSubstr("fathom eval --rescore adds it"));
  EXPECT_THAT(error_with("result", {{"subjects", 3}}), HasSubstr("fathom eval --rescore adds it"));
}

TEST_F(RunFiles, AreNamedByTheirFolders) {
  for (const char* folder : {"a", "b", "x/a"}) made_task("10").write(dir_ / folder);
  EXPECT_THAT(names(choice({"a", "b/"})), ElementsAre("a", "b"));
  EXPECT_THAT(names(choice({"a", "x/a"})), ElementsAre(dir_ / "a", dir_ / "x/a"));
  RunChoice named = choice({"a", "b"});
  named.names = {"one", "two"};
  EXPECT_THAT(names(named), ElementsAre("one", "two"));
  named.names = {"one"};
  EXPECT_THAT(error_of([&] { read_runs(named); }), HasSubstr("--names has 1 names, and there are 2 runs"));
  named.names = {"one", "one"};
  EXPECT_THAT(error_of([&] { read_runs(named); }), HasSubstr("several runs are named 'one'"));
  named.tokens = {2000000, 1000000};
  EXPECT_THAT(names(named), ElementsAre("one @ 2.00M", "one @ 1.00M"));
  EXPECT_THAT(error_of([&] { read_runs(choice({"a", "b", "b/../a"})); }), HasSubstr("a: is given twice"));
}

TEST_F(RunFiles, CheckpointsAreASeries) {
  for (const int step : {200, 100, 1000}) {
    MadeTask task = made_task("10");
    task.run = {{"step", step}, {"trained_tokens", 1000 * step}};
    task.write(dir_ / "run/eval/step-" + fmt::format("{:06}", step));
  }
  for (const char* path : {"run/eval", "run"}) {
    const std::vector<EvaluatedRun> runs = read_runs(choice({path}));
    ASSERT_EQ(runs.size(), 3u);
    EXPECT_EQ(runs[0].name, "run @ 100K");
    EXPECT_EQ(runs[2].training.step, 1000);
    EXPECT_EQ(runs[2].series, "run");
  }
  // Scored one by one, they are joined by the run that their files name.
  for (const int step : {1, 2}) {
    MadeTask task = made_task("10");
    task.run = {{"step", step}, {"trained_tokens", step}, {"training_run", "out/first"}};
    task.write(dir_ / "e" + std::to_string(step));
  }
  EXPECT_EQ(read_runs(choice({"e1", "e2"}))[1].series, "first");
  EXPECT_EQ(read_runs(choice({"e1"}))[0].series, "");
  made_task("10").write(dir_ / "bare/step-1");
  EXPECT_THAT(error("bare"), HasSubstr("nothing says how many tokens this checkpoint was trained on"));
}

TEST_F(RunFiles, TasksCanBeChosen) {
  made_task("10", "good").write(dir_ / "a");
  made_task("10", "bad").write(dir_ / "a");
  write_file(dir_ / "a/bad.jsonl", "torn");
  RunChoice c = choice({"a"});
  c.tasks = {"good"};
  EXPECT_EQ(read_runs(c)[0].tasks.size(), 1u);
  c.tasks = {"god"};
  EXPECT_THAT(error_of([&] { read_runs(c); }), HasSubstr("no run has results of task 'god'"));
}

TEST_F(RunFiles, JudgesScoresAreTasks) {
  const std::string mt = dir_ / "a/mt", alpaca = dir_ / "a/alpaca";
  std::filesystem::create_directories(mt);
  std::filesystem::create_directories(alpaca);
  write_file(
      mt + "/settings.json",
      R"({"hash": "h", "settings": {"benchmark": "mt-bench", "mode": "single", "questions": "q", "judge": "j", "name": "m"}})");
  write_file(
      mt + "/scores.json",
      R"({"mode": "single", "models": [{"model": "m", "average": {"mean": 6.5, "interval": [6, 7], "judgements": 2},
      "turn_1": {"mean": 7, "interval": null, "judgements": 1}, "turn_2": null, "categories": {"math": {"mean": 6.5, "interval": null, "judgements": 2}}, "failed": 1}]})");
  write_file(mt + "/judgements.jsonl",
             "{\"model\": \"m\", \"judge\": [\"j\", \"p\"], \"question_id\": 81, \"turn\": 1, \"judgment\": "
             "\"[[7]]\"}\n"
             "{\"model\": \"m\", \"judge\": [\"j\", \"p\"], \"question_id\": 81, \"turn\": 2, \"judgment\": "
             "\"[[6]]\"}\n"
             "{\"model\": \"m\", \"judge\": [\"j\", \"p\"], \"question_id\": 82, \"turn\": 1, \"judgment\": "
             "\"what?\"}\n");
  write_file(alpaca + "/settings.json",
             R"({"hash": "h", "settings": {"benchmark": "alpaca-eval", "judge": "j"}})");
  write_file(
      alpaca + "/scores.json",
      R"({"length_controlled_winrate": 30, "lc_standard_error": 1, "lc_interval": [28, 32], "win_rate": 75, "standard_error": 2, "interval": [70, 80], "n_total": 2})");
  write_file(
      alpaca + "/annotations.json",
      R"([{"instruction": "x", "preference": 2}, {"instruction": "y", "preference": 1.5}, {"instruction": "z", "preference": null}])");
  const EvaluatedRun run = read_runs(choice({"a"}))[0];
  const ScoredTask &ratings = run.tasks.at("mt_bench"), &wins = run.tasks.at("alpaca_eval");
  ASSERT_EQ(ratings.items.size(), 3u);
  EXPECT_THAT(ratings.items[1].scores, ElementsAre(6, 6, 6));
  EXPECT_THAT(ratings.items[1].weights, ElementsAre(1, 0, 1));
  EXPECT_THAT(ratings.items[2].weights, ElementsAre(0, 0, 0));
  EXPECT_EQ(ratings.items[0].place.cluster, ratings.items[1].place.cluster);
  EXPECT_EQ(ratings.means[0].low, 6);
  EXPECT_EQ(ratings.means.back().over, "category math");
  EXPECT_FALSE(ratings.identity.contains("name"));
  EXPECT_EQ(wins.means[0].value, 0.3);
  EXPECT_EQ(wins.means[1].high, 0.8);
  EXPECT_THAT(wins.items[1].scores, ElementsAre(0.5));
  EXPECT_THAT(wins.items[2].weights, ElementsAre(0));
  write_file(mt + "/scores.json", R"({"mode": "pairs"})");
  EXPECT_THAT(read_runs(choice({"a"}))[0].remarks,
              ElementsAre(HasSubstr("MT-Bench's pairs are no row here")));
  write_file(alpaca + "/annotations.json", R"([{"instruction": "x", "preference": 3}])");
  EXPECT_THAT(error(), HasSubstr("field 'preference' must be 0 or between 1 and 2, got 3"));
}

}  // namespace
}  // namespace fathom::testing
