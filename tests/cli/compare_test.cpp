// fathom compare as a user runs it, over runs of fathom eval; and what Chromium makes of the page.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "cli/eval_model.h"
#include "compare/result_folder.h"
#include "support/paths.h"
#include "support/peer.h"
#include "support/program.h"

namespace fathom::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// Three models, and questions of which the texts would like to be markup.
class CompareCommand : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    dir_ = std::make_unique<TempDir>();
    std::string rows;
    for (int i = 0; i < 60; ++i)
      rows += Json{{"q", fmt::format("</script><script>hacked=1</script> {}", i * 7919)},
                   {"c", {"<a", "<b", "x>"}},
                   {"g", i % 3},
                   {"passage", i / 3}}
                  .dump() +
              "\n";
    write_file(*dir_ / "items.jsonl", rows);
    const std::string prompt = "[data]\nitems = [\"items.jsonl\"]\n[prompt]\nitem = \"Is {{ q }} prime?\"\n";
    write_file(
        *dir_ / "choice.toml",
        "name = \"choice\"\n" + prompt +
            "[choices]\ntexts = \"{{ c | tojson }}\"\ngold = \"{{ g }}\"\nmetrics = [\"sum\", \"chars\"]\n");
    write_file(*dir_ / "documents.toml",
               "name = \"documents\"\nform = \"text\"\ndocument = \"{{ q }}\"\ncluster = \"{{ passage }}\"\n"
               "[data]\nitems = [\"items.jsonl\"]\n");
    for (int m = 0; m < 3; ++m) {
      save_eval_model(path("model" + std::to_string(m)), static_cast<uint64_t>(m + 1));
      evaluate("model" + std::to_string(m), "run" + std::to_string(m), "choice.toml");
    }
    for (int m = 0; m < 2; ++m)
      evaluate("model" + std::to_string(m), "run" + std::to_string(m), "documents.toml");
  }
  static void TearDownTestSuite() { dir_.reset(); }
  static std::string path(const std::string& name) { return *dir_ / name; }

  static void evaluate(const std::string& model, const std::string& out, const std::string& task,
                       const std::string& more = "") {
    const Outcome run = run_fathom("eval " + path(model) + " --threads 1 --task " + path(task) + " --data " +
                                   dir_->path() + " --out " + path(out) + " " + more);
    ASSERT_EQ(run.exit_code, 0) << run.err;
  }
  static Outcome compare(const std::string& arguments) {
    return run_fathom("compare --threads 1 " + arguments);
  }

  // In Chromium, with what --json says of the same runs.
  static void check_page(const std::string& runs) {
    const Outcome made =
        compare(runs + " --html " + path("page.html") + " --json > " + path("comparison.json"));
    ASSERT_EQ(made.exit_code, 0) << made.err;
    const Outcome check =
        run_peer("tools/leaderboard_check.py " + path("page.html") + " " + path("comparison.json"));
    if (check.exit_code == 77) GTEST_SKIP() << check.out;
    EXPECT_EQ(check.exit_code, 0) << runs << "\n" << check.out << check.err;
  }
  static std::unique_ptr<TempDir> dir_;
};
std::unique_ptr<TempDir> CompareCommand::dir_;

TEST_F(CompareCommand, ShowsScoresDifferencesAndWhatIsMissing) {
  const Outcome run = compare(path("run0") + " " + path("run1") + " " + path("run2"));
  ASSERT_EQ(run.exit_code, 0) << run.err;
  EXPECT_THAT(run.out, HasSubstr("Differences from run0 on the same items"));
  EXPECT_THAT(run.out, HasSubstr("exact McNemar"));
  EXPECT_THAT(run.out, HasSubstr("sign-flip permutation, 9999 draws"));
  EXPECT_THAT(run.out, HasSubstr("documents: no results of run2"));
  EXPECT_THAT(run.out, HasSubstr("3 comparisons of headlines"));
  // The scores are those of the results.
  const Json result = read_json(path("run1") + "/choice.result.json");
  EXPECT_THAT(run.out,
              HasSubstr(fmt::format("{:.2f} [{:.2f}, ", 100 * result["averages"][0]["value"].get<double>(),
                                    100 * result["averages"][0]["low"].get<double>())));
  const Json json =
      Json::parse(compare(path("run0") + " " + path("run1") + " --json --task choice --metric chars").out);
  EXPECT_EQ(json["tasks"].size(), 1u);
  for (const Json& m : json["measures"]) EXPECT_EQ(m.contains("headline"), m["metric"] == "chars");
  EXPECT_EQ(compare(path("run0")).exit_code, 0) << "one alone";
}

TEST_F(CompareCommand, WhatCannotBeComparedIsOneError) {
  const auto fails = [&](const std::string& arguments, const std::string& what) {
    const Outcome run = compare(arguments + " --html " + path("none.html"));
    EXPECT_TRUE(is_one_clear_error(run, what)) << run.err;
    EXPECT_FALSE(std::filesystem::exists(path("none.html")));
  };
  const std::string runs = path("run0") + " " + path("run1");
  fails(path("nowhere"), "nowhere: there is no such folder");
  fails(path("model0"), "model0: has no results");
  fails(path("run0") + " " + path("run0") + "/", "is given twice");
  fails(runs + " --task choic", "no run has results of task 'choic': did you mean choice?");
  fails(runs + " --tokens 1,x", "--tokens");
  evaluate("model1", "limited", "choice.toml", "--limit 20");
  fails(path("run0") + " " + path("limited"),
        "choice: run0 and limited are not to be compared: limit is 0 and 20; --common");
  const Outcome common = compare(path("run0") + " " + path("limited") + " --common --task choice");
  EXPECT_THAT(common.out, HasSubstr("choice: 40 of 60 items are left out"));
}

TEST_F(CompareCommand, CheckpointsSayHowFarTheyWereTrained) {
  for (const int step : {100, 200}) {
    const std::string checkpoint = path("training/step-00000" + std::to_string(step));
    std::filesystem::create_directories(path("training"));
    std::filesystem::copy(path(step == 100 ? "model0" : "model1"), checkpoint,
                          std::filesystem::copy_options::recursive);
    write_file(checkpoint + "/trainer.json", OrderedJson{{"format", 1},
                                                         {"step", step},
                                                         {"tokens", 1000 * step},
                                                         {"windows_read", 1},
                                                         {"data_tokens", 1},
                                                         {"recipe", {{"run.output", "out/first"}}}}
                                                 .dump());
    evaluate("training/step-00000" + std::to_string(step), "scored" + std::to_string(step), "choice.toml");
  }
  const Json identity = read_json(path("scored200/choice.run.json"));
  EXPECT_EQ(identity["step"], 200);
  EXPECT_EQ(identity["trained_tokens"], 200000);
  // It is no part of what a run is continued by.
  evaluate("training/step-00000200", "scored200", "choice.toml", "--resume");
  EXPECT_EQ(identity["hash"].get<std::string>().size(), 37u);
  const Outcome run = compare(path("scored100") + " " + path("scored200"));
  EXPECT_THAT(run.out, HasSubstr("Checkpoints of first\ntokens      step"));
  EXPECT_THAT(run.out, HasSubstr("\n200K        200"));
  const Outcome given =
      compare(path("run0") + " " + path("run1") + " --names other,other --tokens 1000000,2000000");
  EXPECT_THAT(given.out, HasSubstr("other @ 2.00M"));
}

TEST_F(CompareCommand, ChromiumShowsTheLeaderboard) {
  FATHOM_NEEDS_PEER_PYTHON("playwright, and a Chromium");
  // What models wrote would like to be script.
  const std::string hostile = "</script><script>hacked=1</script><img src=x onerror=hacked=1>{{nonce}}\u2028";
  for (const char* folder : {"hostile0", "hostile1"}) {
    MadeTask task = made_task(folder == std::string("hostile0") ? "1101" : "0110");
    for (MadeItem& item : task.items)
      item.more = {{"prompts", {hostile}},
                   {"keys", {hostile}},
                   {"answers", {{"sum", {hostile}}}},
                   {"samples", {{{"output", hostile}, {"tokens", 3}, {"finish", "stop"}}}}};
    task.write(path(folder));
  }
  check_page(path("hostile0") + " " + path("hostile1"));
  check_page(path("run0"));
  check_page(path("run0") + " " + path("run1") + " " + path("run2"));
  check_page(path("run0") + " " + path("run1") + " --names one,one --tokens 1000000,2000000 --metric chars");
}

}  // namespace
}  // namespace fathom::testing
