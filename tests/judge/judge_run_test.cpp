// fathom judge mt-bench as a user runs it, against judges that behave well and badly.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>

#include "io/json.h"
#include "io/lines.h"
#include "judge/judge_run.h"

namespace fathom::testing {
namespace {

using ::testing::HasSubstr;

TEST_F(JudgeRun, RatingsAndTheirTranscript) {
  const Outcome run = mt_bench("rate", "out");
  ASSERT_EQ(run.exit_code, 0) << run.err;
  EXPECT_THAT(run.out, HasSubstr("ours"));
  const Json s = scores("out");
  EXPECT_EQ(s["models"][0]["judgements"], 6);
  EXPECT_EQ(s["models"][0]["failed"], 0);
  double sum = 0;
  LineReader lines(dir_ / "out/judgements.jsonl");
  std::string line;
  int count = 0;
  for (; lines.next(line); ++count) {
    const Json row = Json::parse(line);
    sum += row["score"].get<double>();
    EXPECT_THAT(row["judgment"].get<std::string>(), HasSubstr("Rating: [["));
    EXPECT_THAT(row["user_prompt"].get<std::string>(), HasSubstr("GOOD"));
    EXPECT_EQ(row["attempts"].size(), 1u);
  }
  EXPECT_EQ(count, 6);
  EXPECT_NEAR(s["models"][0]["average"]["mean"].get<double>(), sum / 6, 1e-12);
  // The transcript is a file of judgements as FastChat's.
  const Outcome again = run_fathom("judge mt-bench --json --judgements " + (dir_ / "out/judgements.jsonl") +
                                   " --questions " + (dir_ / "question.jsonl"));
  EXPECT_EQ(Json::parse(again.out)["models"], s["models"]);
}

TEST_F(JudgeRun, TheOrderOfArrivalDoesNotMatter) {
  ASSERT_EQ(mt_bench("rate", "one", "--parallel 1").exit_code, 0);
  ASSERT_EQ(mt_bench("shuffled", "many", "--parallel 6").exit_code, 0);
  EXPECT_EQ(scores("one"), scores("many"));
}

TEST_F(JudgeRun, KilledAtAnyMomentItGoesOn) {
  ASSERT_EQ(mt_bench("rate", "whole").exit_code, 0);
  const std::string killed =
      mt_command("slowly", "killed", "--answers " + (dir_ / "answers.jsonl") + " --parallel 1");
  const int before = asked("slowly");
  const std::string journal = dir_ / "killed/judgements.jsonl";
  for (const char* lines : {"1", "3"}) {
    const Outcome run =
        run_shell("wait_for_lines() { until [ -f $1 ] && [ $(wc -l < $1) -ge $2 ]; do sleep 0.02; done; }\n" +
                  program() + " " + killed + " & pid=$!; wait_for_lines " + journal + " " + lines +
                  "; kill -9 $pid; wait $pid");
    ASSERT_EQ(run.exit_code, 128 + 9) << run.err;
  }
  EXPECT_FALSE(std::filesystem::exists(dir_ / "killed/scores.json"));
  const Outcome run = run_fathom(killed);
  ASSERT_EQ(run.exit_code, 0) << run.err;
  EXPECT_EQ(scores("killed"), scores("whole"));
  // What had come in was not asked for again; a kill loses what was under way.
  EXPECT_LE(asked("slowly") - before, 6 + 2);
  EXPECT_EQ(run_fathom(killed).exit_code, 0);
  EXPECT_LE(asked("slowly") - before, 6 + 2);
}

TEST_F(JudgeRun, AnInterruptEndsItCleanly) {
  ASSERT_EQ(mt_bench("rate", "whole").exit_code, 0);
  const std::string command = mt_command("asleep", "out", "--answers " + (dir_ / "answers.jsonl"));
  const auto start = std::chrono::steady_clock::now();
  const Outcome run = run_shell("timeout --foreground --preserve-status -s INT 0.5 " + program() + " " + command);
  EXPECT_TRUE(ends_with_error(run, "interrupted after 0 of 6 judgements; the same command goes on"))
      << run.err;
  EXPECT_LT(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(), 10);
  ASSERT_EQ(mt_bench("rate", "out").exit_code, 0);
  EXPECT_EQ(scores("out"), scores("whole"));
}

TEST_F(JudgeRun, OtherSettingsAreRefused) {
  ASSERT_EQ(mt_bench("rate", "out").exit_code, 0);
  EXPECT_TRUE(is_one_clear_error(mt_bench("rate", "out", "--judge-temperature 0.5"),
                                 "'judge_temperature' was 0.0 and is 0.5"));
  write_file(dir_ / "answers.jsonl", mt_answer_lines_of("ours", "changed"));
  EXPECT_TRUE(is_one_clear_error(mt_bench("rate", "out"), "'answers' was"));
}

TEST_F(JudgeRun, RepliesAreAskedForAgain) {
  ASSERT_EQ(mt_bench("rate", "good").exit_code, 0);
  ASSERT_EQ(mt_bench("second-time", "second").exit_code, 0);
  EXPECT_EQ(scores("good"), scores("second"));
  ASSERT_EQ(mt_bench("busy", "busy").exit_code, 0);
  EXPECT_EQ(scores("good"), scores("busy"));
}

TEST_F(JudgeRun, FailuresAreCountedAndLeftOut) {
  const Outcome run = mt_bench("one-mute", "out", "--attempts 2");
  ASSERT_EQ(run.exit_code, 0) << run.err;
  const Json model = scores("out")["models"][0];
  EXPECT_EQ(model["failed"], 1);
  EXPECT_EQ(model["failures"], (Json{{"a rating outside 1 to 10", 1}}));
  EXPECT_EQ(model["average"]["judgements"], 5);
  EXPECT_THAT(run.out, HasSubstr("failed: 1 x a rating outside 1 to 10"));
  // Another run of the same command asks for those alone.
  const int before = asked("one-mute");
  ASSERT_EQ(mt_bench("one-mute", "out", "--attempts 2").exit_code, 0);
  EXPECT_EQ(asked("one-mute") - before, 2);
  ASSERT_EQ(mt_bench("rate", "out").exit_code, 0);
  EXPECT_EQ(scores("out")["models"][0]["failed"], 0);
}

TEST_F(JudgeRun, AllFailedIsNoScore) {
  EXPECT_TRUE(ends_with_error(mt_bench("mute", "mute"), "none of 6 judgements could be read: 6 x no rating"));
  EXPECT_FALSE(std::filesystem::exists(dir_ / "mute/scores.json"));
  const Outcome html = mt_bench("html", "html");
  EXPECT_EQ(html.exit_code, 1);
  EXPECT_THAT(html.err, HasSubstr("6 x the reply is not valid JSON"));
  const Outcome late = mt_bench("asleep", "asleep", "--judge-timeout 0.2 --judge-retries 0 --parallel 6");
  EXPECT_EQ(late.exit_code, 1);
  EXPECT_THAT(late.err, HasSubstr("6 x no reply within 0.2 seconds"));
  EXPECT_FALSE(std::filesystem::exists(dir_ / "asleep/scores.json"));
}

TEST_F(JudgeRun, AKeyComesFromTheEnvironmentAndStandsInNoFile) {
  const Outcome run = mt_bench("keyed", "out", "--judge-key-env JUDGE_TEST_KEY", "JUDGE_TEST_KEY=secret");
  ASSERT_EQ(run.exit_code, 0) << run.err;
  EXPECT_EQ(run_shell("grep -r secret " + (dir_ / "out")).exit_code, 1);
  EXPECT_TRUE(is_one_clear_error(mt_bench("keyed", "out", "--judge-key-env JUDGE_TEST_UNSET"),
                                 "--judge-key-env names the variable JUDGE_TEST_UNSET, which is not set"));
}

TEST_F(JudgeRun, Pairs) {
  const std::string against = "--against " + (dir_ / "other.jsonl");
  const Outcome fair = mt_bench("fair", "fair", against);
  ASSERT_EQ(fair.exit_code, 0) << fair.err;
  EXPECT_EQ(scores("fair")["all"]["wins"], 6);
  EXPECT_EQ(scores("fair")["all"]["disagreed"], 0);
  const Outcome position = mt_bench("position", "position", against);
  EXPECT_EQ(scores("position")["all"]["ties"], 6);
  EXPECT_EQ(scores("position")["all"]["disagreed"], 6);
  EXPECT_THAT(position.out, HasSubstr("100.0%"));
  EXPECT_EQ(run_fathom("judge mt-bench --judgements " + (dir_ / "position/judgements.jsonl") +
                       " --questions " + (dir_ / "question.jsonl"))
                .out,
            position.out);
}

TEST_F(JudgeRun, ParallelRequestsAreBounded) {
  ASSERT_EQ(mt_bench("shuffled", "out", "--parallel 2").exit_code, 0);
  const TempDir alone;
  PythonServer server({"tests/judge/judge_server.py"});
  const Outcome run = run_fathom("judge mt-bench " + files() + "--judge g --judge-url " + server.url() +
                                 "/slowly/v1 --answers " + (dir_ / "answers.jsonl") + " --parallel 3 --out " +
                                 (alone / "out"));
  ASSERT_EQ(run.exit_code, 0) << run.err;
  ChatEndpoint endpoint(server.url() + "/peak/v1", "url", "m");
  EXPECT_EQ(*endpoint.ask({.messages = {{{"role", "user"}, {"content", "x"}}}, .sampling = {}}).text, "3");
}

TEST_F(JudgeRun, WhatIsMissingOnTheCommandLine) {
  EXPECT_TRUE(is_one_clear_error(run_fathom("judge mt-bench"),
                                 "answers come from a model folder, from --answers or from --url"));
  EXPECT_TRUE(is_one_clear_error(run_fathom("judge mt-bench --answers x --url http://a"),
                                 "cannot be given together"));
  EXPECT_TRUE(
      is_one_clear_error(run_fathom("judge alpaca-eval --answers x --out y"), "--judge-url is needed"));
  EXPECT_TRUE(is_one_clear_error(run_fathom("judge alpaca-eval --annotations " + (dir_ / "x") + " --gamed y"),
                                 "--gamed needs --baseline"));
  EXPECT_TRUE(is_one_clear_error(run_fathom("judge mt-bench --judgements " + (dir_ / "nowhere.jsonl")),
                                 "nowhere.jsonl"));
  EXPECT_TRUE(is_one_clear_error(mt_bench("rate", "out", "--judge-url https://api"), "--judge-url"));
  EXPECT_TRUE(
      is_one_clear_error(run_fathom("judge"), "judge needs one of its commands: alpaca-eval, mt-bench"));
}

}  // namespace
}  // namespace fathom::testing
