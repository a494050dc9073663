#include <gtest/gtest.h>
#include <signal.h>

#include <chrono>
#include <filesystem>
#include <thread>

#include "align/rewards/answers.h"
#include "io/file.h"
#include "support/paths.h"
#include "support/temp_dir.h"

namespace fathom {
namespace {

using testing::Answers, testing::declaration_error, testing::make_reward, testing::Values;

std::string judge(const std::string& arguments, const std::string& more = "") {
  return R"({"command": ["python3", ")" + testing::source_dir() + R"(/tests/align/rewards/judge.py", )" +
         arguments + R"(], "timeout": 1, "start_timeout": 20)" + more + "}";
}

TEST(CommandReward, ScoresBatchesInWhateverOrderTheyComeBack) {
  const auto good = make_reward("command", judge(R"("good")"));
  EXPECT_EQ(Answers({"a", "bb", ""}).scored_by(*good), Values({"1", "2", "0"}));
  EXPECT_EQ(Answers({"ccc"}).scored_by(*good), Values({"3"}));
  EXPECT_EQ(Answers({}).scored_by(*good), Values({}));

  const auto backwards = make_reward("command", judge(R"("backwards")"));
  const Json more = {{"last", false}}, last = {{"last", true}};
  for (int batch = 0; batch < 2; ++batch) {
    Answers answers({"a", "bb", "ccc"});
    for (RewardInput& input : answers.inputs()) input.row = input.id == 102 ? &last : &more;
    EXPECT_EQ(answers.scored_by(*backwards), Values({"1", "2", "3"}));
  }
}

TEST(CommandReward, LargeBatchesBothWaysDoNotBlock) {
  const auto large = make_reward("command", judge(R"("large")"));
  const std::vector<std::string> texts(60, std::string(100'000, 'x'));
  EXPECT_EQ(Answers(texts).scored_by(*large), Values(60, "100000"));
}

TEST(CommandReward, WhatIsNoNumberIsUnscored) {
  const auto reward = make_reward("command", judge(R"("by_word")"));
  const std::string not_finite = "- the reply's 'reward' is null or not finite";
  EXPECT_EQ(Answers({"null", "nan", "inf", "text", "missing", "fine"}).scored_by(*reward),
            Values({"- no idea at all", not_finite, not_finite, "- the reply's 'reward' is not a number",
                    "- the reply has no 'reward'", "4"}));
}

TEST(CommandReward, NoisePiecesAndErrorsBesideScoresDoNoHarm) {
  const auto reward = make_reward("command", judge(R"("by_word")"));
  EXPECT_EQ(Answers({"noise", "a", "pieces", "errors", "b"}).scored_by(*reward),
            Values({"5", "1", "6", "6", "1"}));
  EXPECT_EQ(Answers({"next"}).scored_by(*reward), Values({"4"}));
}

TEST(CommandReward, OnlyTheAnswerItFailedOnIsLost) {
  const auto reward = make_reward("command", judge(R"("by_word")"));
  EXPECT_EQ(Answers({"a", "crash", "bb", "hang", "ccc", "kill", "dddd"}).scored_by(*reward),
            Values({"1", "- the command ended (exit code 3: boom)", "2", "- no score within 1 seconds", "3",
                    "- the command ended (signal 9)", "4"}));
  EXPECT_EQ(Answers({"half", "a"}).scored_by(*reward), Values({"- the command ended (exit code 0)", "1"}));
}

TEST(CommandReward, FloodsAreCutOff) {
  const auto reward = make_reward("command", judge(R"("by_word")"));
  EXPECT_EQ(Answers({"line", "a"}).scored_by(*reward),
            Values({"- the command wrote a line of more than 1 MiB", "1"}));
  EXPECT_EQ(Answers({"endless errors", "a"}).scored_by(*reward),
            Values({"- no score within 1 seconds", "1"}));
  EXPECT_EQ(Answers({"a", "flood"}).scored_by(*reward),
            Values({"1", "- the command wrote more than 1000 lines that are no scores"}));
  EXPECT_EQ(Answers({"a"}).scored_by(*reward), Values({"1"}));
}

TEST(CommandReward, RestartsAreBoundedAndTheNextBatchStartsAfresh) {
  const auto reward = make_reward("command", judge(R"("by_word")", R"(, "restarts": 1)"));
  const std::string ended = "- the command ended (exit code 3: boom)",
                    failed = "- the command failed 2 times in this batch";
  EXPECT_EQ(Answers({"crash", "crash", "a", "crash"}).scored_by(*reward),
            Values({ended, ended, failed, failed}));
  EXPECT_EQ(Answers({"a"}).scored_by(*reward), Values({"1"}));
}

TEST(CommandReward, EndingBetweenBatchesIsNoFailure) {
  const auto reward = make_reward("command", judge(R"("once")", R"(, "restarts": 0)"));
  for (int batch = 0; batch < 4; ++batch) {
    EXPECT_EQ(Answers({"abc"}).scored_by(*reward), Values({"3"}));
    if (batch == 1)
      std::this_thread::sleep_for(std::chrono::milliseconds(200));  // long after, and just after
  }
}

TEST(CommandReward, ABatchHasALimitOfItsOwn) {
  const auto reward = make_reward("command", judge(R"("deaf")", R"(, "batch_timeout": 0.3)"));
  const std::string late = "- the batch took longer than 0.3 seconds";
  EXPECT_EQ(Answers({std::string(1 << 20, 'x'), "b"}).scored_by(*reward), Values({late, late}));
}

TEST(CommandReward, WhatTheCommandStartedEndsWithIt) {
  const TempDir dir;
  const std::string file = dir / "child";
  {
    const auto reward = make_reward("command", judge(R"("family", ")" + file + "\"", R"(, "restarts": 0)"));
    for (int i = 0; i < 200 && !std::filesystem::exists(file + ".pid"); ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  const pid_t child = std::stoi(read_file(file + ".pid"));
  const auto runs = [&] {  // a zombie that nobody waits for has ended too
    std::error_code none;
    if (!std::filesystem::exists("/proc/" + std::to_string(child), none)) return false;
    const std::string status = read_file("/proc/" + std::to_string(child) + "/stat");
    return status.find(") Z ") == std::string::npos;
  };
  for (int i = 0; i < 100 && runs(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_FALSE(runs());
}

TEST(CommandReward, MalformedDeclarationsNameTheKey) {
  const std::string place = "recipe.toml:7: reward 'it': ";
  EXPECT_EQ(declaration_error("command", "{}"), place + "field 'command' is missing");
  EXPECT_EQ(declaration_error("command", R"({"command": []})"),
            place + "field 'command' must name a program");
  EXPECT_EQ(declaration_error("command", R"({"command": ["/no/such/program"]})"),
            place +
                "field 'command' names a program that does not start: cannot start '/no/such/program': No "
                "such file or directory");
  EXPECT_EQ(declaration_error("command", R"({"command": ["cat"], "timeout": 0})"),
            place + "field 'timeout' must be above 0 and at most 86400, got 0");
  EXPECT_EQ(declaration_error("command", R"({"command": ["cat"], "restart": 1})"),
            place + "unknown key 'restart': did you mean restarts?");
}

}  // namespace
}  // namespace fathom
