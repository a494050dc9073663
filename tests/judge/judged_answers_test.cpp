// Answers that fathom judge makes itself, by a model and by a server, and AlpacaEval as a user runs it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "io/json.h"
#include "io/lines.h"
#include "judge/judge_run.h"
#include "judge/mt_bench.h"
#include "model/model_folder.h"
#include "support/byte_tokenizer.h"
#include "support/small_model.h"

namespace fathom::testing {
namespace {

using ::testing::HasSubstr;

TEST_F(JudgeRun, AJudgeThatRefusesEndsTheRunAtOnce) {
  write_file(dir_ / "baseline.json", alpaca_file("base", "poor", 200));
  write_file(dir_ / "outputs.json", alpaca_file("ours", "GOOD", 200));
  const Outcome run = alpaca("refuses", "out", "--parallel 2");
  EXPECT_EQ(run.exit_code, 1);
  EXPECT_THAT(run.err,
              HasSubstr("the judge answered none of the first 8 requests: HTTP status 401: no such key"));
  EXPECT_LT(asked("refuses"), 50);  // 8, and what began while those were counted
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

}  // namespace
}  // namespace fathom::testing
