// fathom judge as a user runs it, against servers that behave well and badly.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cmath>

#include "http/chat_endpoint.h"
#include "io/lines.h"
#include "judge/mt_bench.h"
#include "judge/mt_files.h"
#include "model/model_folder.h"
#include "support/byte_tokenizer.h"
#include "support/program.h"
#include "support/python_server.h"
#include "support/small_model.h"

namespace fathom::testing {
namespace {

using ::testing::HasSubstr;

// As is_one_clear_error(), after what was said of the work before it.
bool ends_with_error(const Outcome& run, const std::string& what) {
  const size_t line = run.err.rfind("fathom: ");
  return run.exit_code == 1 && run.out.empty() && line != std::string::npos &&
         run.err.find(what, line) != std::string::npos && run.err.find('\n', line) == run.err.size() - 1;
}

class JudgeRun : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { server_ = new PythonServer({"tests/judge/judge_server.py"}); }
  static void TearDownTestSuite() { delete std::exchange(server_, nullptr); }
  void SetUp() override {
    write_mt_files(dir_);
    write_file(dir_ / "prompt.txt",
               "<|im_start|>system\nChoose.\n<|im_end|>\n<|im_start|>user\n{instruction}: m={output_1} "
               "M={output_2}\n<|im_end|>");
    write_file(dir_ / "baseline.json", alpaca_file("base", "poor", 20));
    write_file(dir_ / "outputs.json", alpaca_file("ours", "GOOD", 20));
  }

  static std::string alpaca_file(const std::string& generator, const std::string& what, int count) {
    Json rows = Json::array();
    for (int i = 0; i < count; ++i)
      rows.push_back({{"instruction", fmt::format("do {}", i)},
                      {"output", fmt::format("{} {}", what, std::string(static_cast<size_t>(i % 5), '+'))},
                      {"generator", generator},
                      {"dataset", "set"}});
    return rows.dump();
  }
  static std::string url(const std::string& behaviour) { return server_->url() + "/" + behaviour + "/v1"; }
  static int asked(const std::string& behaviour) {
    ChatEndpoint endpoint(url("count"), "url", "m");
    return std::stoi(*endpoint
                          .ask({.messages = {{{"role", "user"}, {"content", behaviour}}},
                                .temperature = 0,
                                .max_tokens = 1,
                                .seed = {},
                                .top_log_probs = 0})
                          .text);
  }

  std::string files() const {
    return "--questions " + (dir_ / "question.jsonl") + " --prompts " + (dir_ / "prompts.jsonl") +
           " --references " + (dir_ / "references.jsonl") + " ";
  }
  std::string mt_command(const std::string& behaviour, const std::string& out,
                         const std::string& more = "") const {
    return "judge mt-bench " + files() + "--judge gpt-4 --judge-url " + url(behaviour) + " --out " +
           (dir_ / out) + " " + more;
  }
  Outcome mt_bench(const std::string& behaviour, const std::string& out, const std::string& more = "",
                   const std::string& before = "") const {
    return run_fathom(mt_command(behaviour, out, "--answers " + (dir_ / "answers.jsonl") + " " + more),
                      before);
  }
  Outcome alpaca(const std::string& behaviour, const std::string& out, const std::string& more = "") const {
    return run_fathom("judge alpaca-eval --baseline " + (dir_ / "baseline.json") + " --prompt " +
                      (dir_ / "prompt.txt") + " --answers " + (dir_ / "outputs.json") +
                      " --judge gpt-4 --judge-url " + url(behaviour) + " --out " + (dir_ / out) + " " + more);
  }
  Json scores(const std::string& out) const { return read_json(dir_ / out + "/scores.json"); }

  TempDir dir_;
  static inline PythonServer* server_ = nullptr;
};

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
  const Outcome run = run_shell("timeout --preserve-status -s INT 0.5 " + program() + " " + command);
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

TEST_F(JudgeRun, AJudgeThatRefusesEndsTheRunAtOnce) {
  const Outcome run = alpaca("refuses", "out", "--parallel 2");
  EXPECT_EQ(run.exit_code, 1);
  EXPECT_THAT(run.err,
              HasSubstr("the judge answered none of the first 8 requests: HTTP status 401: no such key"));
  EXPECT_LE(asked("refuses"), 8 + 2);
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

TEST_F(JudgeRun, AnswersOfAServer) {
  const Outcome run =
      run_fathom(mt_command("rate", "out", "--url " + url("answers") + " --url-model served"));
  ASSERT_EQ(run.exit_code, 0) << run.err;
  LineReader lines(dir_ / "out/answers.jsonl");
  std::string line;
  ASSERT_TRUE(lines.next(line));
  const Json first = Json::parse(line);
  EXPECT_EQ(first["model_id"], "served");
  EXPECT_EQ(first["choices"][0]["turns"],
            (Json{"GOOD reply 1 at 0.7 to ask 81 one", "GOOD reply 3 at 0.7 to ask 81 two"}));
  ASSERT_TRUE(lines.next(line));
  EXPECT_THAT(line, HasSubstr("GOOD reply 3 at 0.0 to ask 101 two"));
  EXPECT_TRUE(
      ends_with_error(run_fathom(mt_command("rate", "none", "--url " + url("refuses") + " --url-model x")),
                      "answers failed, the last with: HTTP status 401"));
}

class JudgedModel : public JudgeRun {
 protected:
  void SetUp() override {
    JudgeRun::SetUp();
    Config c = v2_like();
    c.vocab_size = 261, c.max_position_embeddings = 4096, c.bos_token_id = 0, c.eos_token_ids = {256};
    save_model(Device::cpu(1), dir_ / "model", random_model(c, DType::f32));
    write_file(dir_ / "model/tokenizer.json", byte_tokenizer_json().dump());
  }
  std::string answers_command(const std::string& out, const std::string& more) const {
    return mt_command("rate", out, (dir_ / "model") + " --threads 1 -n 12 --name random " + more);
  }
};

TEST_F(JudgedModel, TheSecondTurnSeesTheFirstAnswer) {
  ASSERT_EQ(run_fathom(answers_command("out", "")).exit_code, 0);
  int seen = 0;
  const MtAnswers answers = read_mt_answers(dir_ / "out/answers.jsonl");
  EXPECT_EQ(answers.model, "random");
  LineReader lines(dir_ / "out/generated.jsonl");
  for (std::string line; lines.next(line); ++seen) {
    const Json row = Json::parse(line), &messages = row["messages"];
    if (messages.size() != 3) continue;
    const std::string id = row["id"];
    EXPECT_EQ(messages[1]["content"], answers.turns.at(std::stoll(id))[0]);
    EXPECT_EQ(row["text"], answers.turns.at(std::stoll(id))[1]);
  }
  EXPECT_EQ(seen, 6);
  // Whatever the batch; and sampled answers depend on the seed.
  ASSERT_EQ(run_fathom(answers_command("alone", "--sequences 1")).exit_code, 0);
  EXPECT_EQ(read_file(dir_ / "alone/answers.jsonl"), read_file(dir_ / "out/answers.jsonl"));
  ASSERT_EQ(run_fathom(answers_command("other", "--seed 2")).exit_code, 0);
  const MtAnswers other = read_mt_answers(dir_ / "other/answers.jsonl");
  EXPECT_NE(other.turns.at(81), answers.turns.at(81));    // writing: sampled
  EXPECT_EQ(other.turns.at(101), answers.turns.at(101));  // reasoning: greedy
}

TEST_F(JudgedModel, AConversationThatDoesNotFitIsAnEmptyAnswerAndSaid) {
  Config c = v2_like();
  c.vocab_size = 261, c.max_position_embeddings = 48, c.bos_token_id = 0, c.eos_token_ids = {256};
  save_model(Device::cpu(1), dir_ / "model", random_model(c, DType::f32));
  const Outcome run = run_fathom(answers_command("out", ""));
  ASSERT_EQ(run.exit_code, 0) << run.err;
  EXPECT_THAT(run.err, HasSubstr("of 6 answers: "));
  EXPECT_THAT(run.err, HasSubstr("3 at the end of the context, 3 empty"));
  for (const auto& [id, turns] : read_mt_answers(dir_ / "out/answers.jsonl").turns) EXPECT_EQ(turns[1], "");
}

TEST_F(JudgedModel, OutputsForAlpacaEval) {
  const std::string command = "judge alpaca-eval " + (dir_ / "model") + " --threads 1 -n 5 --baseline " +
                              (dir_ / "baseline.json") + " --prompt " + (dir_ / "prompt.txt") +
                              " --judge j --judge-url " + url("word") + " --out " + (dir_ / "out");
  const Outcome run = run_fathom(command);
  ASSERT_EQ(run.exit_code, 0) << run.err;
  const Json outputs = read_json(dir_ / "out/model_outputs.json");
  ASSERT_EQ(outputs.size(), 20u);
  EXPECT_EQ(outputs[3]["instruction"], "do 3");
  EXPECT_EQ(outputs[3]["generator"], "model");
  // Changed weights are other settings.
  write_file(dir_ / "model/generation_config.json", "{}");
  EXPECT_TRUE(is_one_clear_error(run_fathom(command), "'model' was"));
}

TEST_F(JudgeRun, AlpacaEvalByProbabilities) {
  const Outcome run = alpaca("weighs", "out");
  ASSERT_EQ(run.exit_code, 0) << run.err;
  const Json s = scores("out");
  EXPECT_NEAR(s["win_rate"].get<double>(), 80, 1e-9);  // wherever the good output stood
  EXPECT_EQ(s["n_wins"], 20);
  EXPECT_EQ(s["unweighted"], 0);
  EXPECT_TRUE(s["length_controlled_winrate"].is_null());
  const Outcome again =
      run_fathom("judge alpaca-eval --json --annotations " + (dir_ / "out/annotations.json"));
  EXPECT_EQ(Json::parse(again.out)["win_rate"], s["win_rate"]);
}

TEST_F(JudgeRun, AlpacaEvalByTheWordSaysSo) {
  const Outcome run = alpaca("word", "out");
  ASSERT_EQ(run.exit_code, 0) << run.err;
  EXPECT_EQ(scores("out")["win_rate"], 100);
  EXPECT_EQ(scores("out")["unweighted"], 20);
  EXPECT_THAT(run.err, HasSubstr("the judge gives no log-probabilities: 20 preferences are 1 or 0"));
  EXPECT_THAT(run.out, HasSubstr("this is not AlpacaEval 2.0's weighted judge"));
}

TEST_F(JudgeRun, AlpacaEvalWithLengthControlAndMissingOutputs) {
  std::string gamed = "index,std_delta_len,instruction_difficulty,preference\n";
  for (int i = 0; i < 20; ++i) gamed += fmt::format("{},1.5,0.1,0.2\n{},-1.5,0.1,0.8\n", i, i);
  write_file(dir_ / "gamed.csv", gamed);
  write_file(dir_ / "outputs.json", alpaca_file("ours", "GOOD", 18));
  const Outcome run = alpaca("weighs", "out", "--gamed " + (dir_ / "gamed.csv"));
  ASSERT_EQ(run.exit_code, 0) << run.err;
  EXPECT_THAT(run.err, HasSubstr("2 of 20 instructions have no output"));
  const Json s = scores("out");
  EXPECT_EQ(s["n_total"], 18);
  EXPECT_EQ(s["missing"], 2);
  // The lengths are the baseline's but for a constant: they explain nothing.
  EXPECT_TRUE(s["length_controlled_winrate"].is_null());
  EXPECT_THAT(run.err, HasSubstr("the lengths of the outputs do not vary"));
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
  EXPECT_EQ(*endpoint
                 .ask({.messages = {{{"role", "user"}, {"content", "x"}}},
                       .temperature = 0,
                       .max_tokens = 1,
                       .seed = {},
                       .top_log_probs = 0})
                 .text,
            "3");
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
