// fathom eval MODEL --task: from files to results, killed and continued, and the same as
// lm-evaluation-harness.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <regex>

#include "cli/eval_model.h"
#include "support/peer.h"
#include "support/program.h"

namespace fathom::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

const std::string& samples = eval_samples;

class Eval : public ::testing::Test {
 protected:
  Eval() { save_eval_model(dir_ / "model"); }
  Outcome eval(const std::string& arguments) const {
    return run_fathom("eval " + (dir_ / "model") + " --threads 1 " + arguments);
  }
  TempDir dir_;
};

TEST_F(Eval, RunsTasksOfEveryForm) {
  const Outcome some = eval("--task c3,pile --json" + samples);
  ASSERT_EQ(some.exit_code, 0) << some.err;
  const Json results = Json::parse(some.out);
  ASSERT_EQ(results.size(), 2u);
  EXPECT_EQ(results[0]["items"], 3);
  EXPECT_EQ(results[0]["clusters"], 2);  // two questions on one passage
  EXPECT_EQ(results[1]["averages"][0]["metric"], "bits_per_byte");
  EXPECT_EQ(results[1]["bytes"], 62);
  const Outcome written = eval("--task triviaqa --shots 2 --samples 2 --out " + (dir_ / "out") + samples);
  ASSERT_EQ(written.exit_code, 0) << written.err;
  EXPECT_THAT(written.out, HasSubstr("answers cut by a limit: "));
  const Json record = Json::parse(read_file(dir_ / "out/triviaqa.jsonl"));
  EXPECT_EQ(record["samples"].size(), 2u);
  EXPECT_THAT(record["prompts"][0].get<std::string>(), HasSubstr("Question: What barks?\nAnswer: Dog\n\n"));
  const Json run_json = read_json(dir_ / "out/triviaqa.run.json");
  for (const char* part : {"task_file", "data", "weights", "tokenizer", "seed", "hash"})
    EXPECT_TRUE(run_json.contains(part)) << part;
}

TEST_F(Eval, TheChatFormIsAnotherTask) {
  const Outcome run = eval("--task triviaqa --shots 2 --chat --out " + (dir_ / "out") + samples);
  ASSERT_EQ(run.exit_code, 0) << run.err;
  const Json record = Json::parse(read_file(dir_ / "out/triviaqa+chat.jsonl"));
  EXPECT_THAT(record["prompts"][0].get<std::string>(),
              HasSubstr("User: Question: What barks?\nAnswer:\n\nAssistant: Dog"));
  EXPECT_THAT(eval("--task triviaqa --shots 2 --chat --show-prompt" + samples).out,
              HasSubstr("as a conversation"));
}

// IFEval asks in the chat form without a flag, with the model's own template; a model without one needs
// --chat.
TEST_F(Eval, ATaskMayAlwaysAskInTheChatForm) {
  const std::string none =
      "has no chat template, and task ifeval+chat is asked in the chat form; --chat takes";
  EXPECT_TRUE(is_one_clear_error(eval("--task ifeval" + samples), none));
  EXPECT_TRUE(is_one_clear_error(eval("--task ifeval --show-prompt" + samples), none));
  EXPECT_TRUE(
      is_one_clear_error(run_fathom("eval --task ifeval --show-prompt" + samples),
                         "task ifeval+chat needs a model folder, whose chat template it is asked with"));
  EXPECT_THAT(eval("--task ifeval --chat --show-prompt" + samples).out, HasSubstr("User: "));
  write_file(dir_ / "model/chat_template.jinja",
             "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}"
             "{% if add_generation_prompt %}<assistant>{% endif %}");
  write_file(dir_ / "short.toml", std::regex_replace(read_file(source_dir() + "/tasks/ifeval.toml"),
                                                     std::regex("max_tokens = 1280"), "max_tokens = 8"));
  const std::string task = "--task " + (dir_ / "short.toml") + ",triviaqa --shots 0 --out " + (dir_ / "out");
  const Outcome run = eval(task + samples);
  ASSERT_EQ(run.exit_code, 0) << run.err;
  EXPECT_THAT(run.out, HasSubstr("ifeval+chat (version 1, 0 examples)"));
  EXPECT_THAT(run.out, HasSubstr("prompt_loose"));
  const std::string records = read_file(dir_ / "out/ifeval+chat.jsonl");
  const Json record = Json::parse(records.substr(0, records.find('\n')));
  EXPECT_THAT(record["prompts"][0].get<std::string>(), HasSubstr("<user>"));
  EXPECT_THAT(record["prompts"][0].get<std::string>(), HasSubstr("<assistant>"));
  EXPECT_EQ(record["samples"].size(), 1u);
  // The other task of the same run is asked as it was.
  const std::string plain = read_file(dir_ / "out/triviaqa.jsonl");
  EXPECT_THAT(Json::parse(plain.substr(0, plain.find('\n')))["prompts"][0].get<std::string>(),
              Not(HasSubstr("<user>")));
}

TEST_F(Eval, ContinuesAfterAKillToTheSameBytes) {
  std::string rows;
  for (int i = 0; i < 1200; ++i)
    rows += Json{{"q", std::to_string(i * 7919)}, {"c", {"yes", "no", "maybe"}}}.dump() + "\n";
  write_file(dir_ / "items.jsonl", rows);
  write_file(dir_ / "t.toml",
             "name = \"t\"\n[data]\nitems = [\"items.jsonl\"]\n[prompt]\nitem = \"Is {{ q }} a prime number? "
             "Say so:\"\n"
             "[choices]\ntexts = \"{{ c | tojson }}\"\ngold = \"1\"\n");
  const std::string task = "--task " + (dir_ / "t.toml") + " --data " + dir_.path() + " --out ";
  ASSERT_EQ(eval(task + (dir_ / "whole")).exit_code, 0);
  const std::string records = dir_ / "killed/t.jsonl";
  run_shell("'" + program() + "' eval " + (dir_ / "model") + " --threads 1 " + task + (dir_ / "killed") +
            " & p=$!; while [ ! -s " + records +
            " ] && kill -0 $p; do sleep 0.005; done; kill -9 $p; wait $p");
  const std::string whole = read_file(dir_ / "whole/t.jsonl");
  EXPECT_LT(read_file(records).size(), whole.size());
  EXPECT_TRUE(is_one_clear_error(eval(task + (dir_ / "killed")), "--resume continues it"));
  const Outcome resumed = eval(task + (dir_ / "killed") + " --resume");
  ASSERT_EQ(resumed.exit_code, 0) << resumed.err;
  EXPECT_EQ(read_file(records), whole);
  EXPECT_EQ(read_file(dir_ / "killed/t.result.json"), read_file(dir_ / "whole/t.result.json"));
  EXPECT_TRUE(
      is_one_clear_error(eval(task + (dir_ / "killed") + " --resume --seed 2"), "seed was 1234 and is 2"));
  const Outcome again = run_fathom("eval --rescore " + task + (dir_ / "killed"));
  EXPECT_EQ(again.exit_code, 0) << again.err;
  EXPECT_EQ(again.out, resumed.out);
}

TEST_F(Eval, BadInputIsOneClearError) {
  EXPECT_TRUE(is_one_clear_error(eval("--task mlmu" + samples), "unknown task 'mlmu': did you mean mmlu?"));
  EXPECT_TRUE(is_one_clear_error(eval(samples), "--task is missing"));
  EXPECT_TRUE(is_one_clear_error(run_fathom("eval --task mmlu" + samples), "a model folder is missing"));
  EXPECT_TRUE(
      is_one_clear_error(eval("--task mmlu --data " + dir_.path()), "no file mmlu/test/{subject}_test.csv"));
  EXPECT_TRUE(is_one_clear_error(run_fathom("eval " + dir_.path() + " --task c3" + samples), "config.json"));
  EXPECT_TRUE(
      is_one_clear_error(eval("--task gsm8k" + samples), "8 examples are wanted, and the pool has 2"));
  // The commands below eval are still there.
  EXPECT_THAT(run_fathom("eval needle --help").out, HasSubstr("--depths"));
  EXPECT_THAT(run_fathom("eval --list").out, HasSubstr("winogrande"));
}

TEST_F(Eval, MalformedRowsAreNamedAndCounted) {
  std::filesystem::create_directories(dir_ / "piqa");
  write_file(dir_ / "piqa/valid.jsonl",
             "{\"goal\": \"g\", \"sol1\": \"a\", \"sol2\": \"b\"}\n{\"goal\": \"g2\"\n");
  write_file(dir_ / "piqa/valid-labels.lst", "0\n1\n");
  const Outcome run = eval("--task piqa --data " + dir_.path());
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_THAT(run.err, HasSubstr("piqa/valid.jsonl:2"));
  EXPECT_THAT(run.out, HasSubstr("1 malformed rows are no items"));
}

// tools/check_lm_eval.py: every log-probability, every text, every score.
TEST(EvalPeer, IsLmEvaluationHarness) {
  FATHOM_NEEDS_PEER_PYTHON("lm_eval, torch and transformers");
  const char* data = std::getenv("FATHOM_EVAL_DATA");
  if (!data) GTEST_SKIP() << "FATHOM_EVAL_DATA is not set: it names a folder with the data sets' files";
  const Outcome run =
      run_peer("tools/check_lm_eval.py --limit 12 --fathom '" + program() + "' --data '" + data + "'");
  EXPECT_EQ(run.exit_code, 0) << run.out << run.err;
  EXPECT_THAT(run.out, HasSubstr("cmmlu"));
}

}  // namespace
}  // namespace fathom::testing
