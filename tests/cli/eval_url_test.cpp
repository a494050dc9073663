// fathom eval --url as a user runs it: the local run's scores from a server, and one clear error from servers
// that cannot give them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>

#include "cli/eval_model.h"
#include "io/json_rows.h"
#include "support/model_http_server.h"
#include "support/program.h"

namespace fathom::testing {
namespace {

using ::testing::HasSubstr;

class EvalUrl : public ::testing::Test {
 protected:
  EvalUrl() {
    std::string rows;
    for (int i = 0; i < 300; ++i)
      rows += Json{{"q", std::string(static_cast<size_t>(1 + i / 100), static_cast<char>('a' + i / 100)) +
                             std::to_string(i * 7919)},
                   {"c", {"yes", "no", "可能"}}}
                  .dump() +
              "\n";
    write_file(dir_ / "items.jsonl", rows);
    write_file(dir_ / "t.toml",
               "name = \"t\"\n[data]\nitems = [\"items.jsonl\"]\n[prompt]\nitem = \"Is {{ q }} prime?\"\n"
               "[choices]\ntexts = \"{{ c | tojson }}\"\ngold = \"1\"\nmetrics = [\"sum\", \"chars\", "
               "\"tokens\"]\n");
    write_file(
        dir_ / "g.toml",
        "name = \"g\"\nform = \"generate\"\n[data]\nitems = [\"items.jsonl\"]\n[prompt]\nitem = \"{{ q }}\"\n"
        "[generation]\nmax_tokens = 4\n[[metric]]\nkey = [\"x\"]\n");
  }
  static void SetUpTestSuite() { served_ = new Served; }
  static void TearDownTestSuite() { delete std::exchange(served_, nullptr); }

  static std::string folder() { return served_->dir / "model"; }
  static std::string url(const std::string& behaviour) { return " --url " + served_->server.url(behaviour); }
  Outcome local(const std::string& arguments) const {
    return run_fathom("eval " + folder() + " --threads 1 " + arguments);
  }
  Outcome served(const std::string& behaviour, const std::string& arguments,
                 const std::string& before = "") const {
    return run_fathom("eval --threads 1" + url(behaviour) + " --url-retries 0 " + arguments, before);
  }
  std::string task(const std::string& file) const {
    return "--task " + (dir_ / file) + " --data " + dir_.path();
  }
  std::vector<Json> records(const std::string& path) const {
    std::vector<Json> all;
    JsonRows rows(dir_ / path);
    for (Json row; rows.next(row);) all.push_back(row);
    return all;
  }
  void expect_same_sums(const std::string& a, const std::string& b) const {
    const std::vector<Json> one = records(a), two = records(b);
    ASSERT_EQ(one.size(), two.size());
    for (size_t i = 0; i < one.size(); ++i) {
      EXPECT_EQ(one[i]["prompt_hash"], two[i]["prompt_hash"]);
      for (size_t k = 0; k < one[i]["options"].size(); ++k)
        EXPECT_NEAR(one[i]["options"][k]["sum"].get<double>(), two[i]["options"][k]["sum"].get<double>(),
                    1e-4);
    }
  }

  struct Served {
    Served() : model(saved()) {}
    Model saved() {
      save_eval_model(dir / "model");
      return load_model(device, dir / "model");
    }
    TempDir dir;
    Device device = Device::cpu(1);
    Model model;
    Tokenizer tokenizer = Tokenizer::load(dir / "model");
    ChatTemplate chat = ChatTemplate::load(dir / "model");
    Engine engine{device,
                  model,
                  &tokenizer,
                  {.cache_tokens = 4000,
                   .page_size = 16,
                   .max_sequences = 8,
                   .token_budget = 512,
                   .absorbed = {},
                   .score = true}};
    ModelHttpServer server{engine, tokenizer, &chat};
  };
  static inline Served* served_ = nullptr;
  TempDir dir_;
};

TEST_F(EvalUrl, GivesTheLocalScores) {
  const std::string tasks = "--task c3,winogrande --shots 0 --json" + eval_samples;
  const Outcome here = local(tasks + " --out " + (dir_ / "here"));
  ASSERT_EQ(here.exit_code, 0) << here.err;
  for (const char* behaviour : {"good", "ignores-bytes"}) {
    const Outcome there = served(behaviour, tasks + " --out " + (dir_ / behaviour));
    ASSERT_EQ(there.exit_code, 0) << there.err;
    const Json a = Json::parse(here.out), b = Json::parse(there.out);
    for (size_t i = 0; i < a.size(); ++i) EXPECT_EQ(a[i]["averages"], b[i]["averages"]);
    for (const char* name : {"c3", "winogrande"})
      expect_same_sums("here/" + std::string(name) + ".jsonl",
                       std::string(behaviour) + "/" + name + ".jsonl");
  }
  const Json run = read_json(dir_ / "good/c3.run.json");
  EXPECT_EQ(run["served_model"], "small");  // the only one there
  EXPECT_EQ(run["server"], (Json{{"owned_by", "tests"}, {"max_model_len", 3000}}));
  EXPECT_EQ(run["beginning"], "<end>");
  EXPECT_EQ(run["prompts"], "texts");
  // Scored again without the server.
  const Outcome again = run_fathom("eval --rescore " + tasks + " --out " + (dir_ / "good"));
  EXPECT_EQ(Json::parse(again.out)[0]["averages"], Json::parse(here.out)[0]["averages"]) << again.err;
}

TEST_F(EvalUrl, WithTheModelsFolderItIsTheSameTokens) {
  const Outcome here = local("--task c3,pile --json" + eval_samples),
                there = run_fathom("eval " + folder() + url("good") + " --task c3,pile --json --out " +
                                   (dir_ / "out") + eval_samples);
  ASSERT_EQ(there.exit_code, 0) << there.err;
  const Json a = Json::parse(here.out), b = Json::parse(there.out);
  EXPECT_EQ(a[0]["averages"], b[0]["averages"]);
  EXPECT_NEAR(a[1]["averages"][0]["value"].get<double>(), b[1]["averages"][0]["value"].get<double>(), 1e-5);
  EXPECT_EQ(records("out/c3.jsonl")[0]["options"][0]["ids"].size() > 0, true);
  EXPECT_TRUE(
      is_one_clear_error(served("good", "--task pile" + eval_samples), "needs the model's folder too"));
  EXPECT_TRUE(is_one_clear_error(
      run_fathom("eval " + folder() + url("texts-only") + " --url-retries 0 --task c3" + eval_samples),
      "HTTP status 422: not a string"));
}

TEST_F(EvalUrl, GeneratesInBothForms) {
  const std::string task = "--task triviaqa --shots 2 --out ";
  ASSERT_EQ(local(task + (dir_ / "here") + eval_samples).exit_code, 0);
  ASSERT_EQ(local(task + (dir_ / "here") + " --chat" + eval_samples).exit_code, 0);
  const Outcome base = served("no-logprobs", task + (dir_ / "there") + eval_samples),
                chat = served("no-logprobs", task + (dir_ / "there") + " --chat" + eval_samples);
  ASSERT_EQ(base.exit_code, 0) << base.err;
  ASSERT_EQ(chat.exit_code, 0) << chat.err;
  const auto outputs = [&](const std::string& path) {
    std::vector<Json> all;
    for (const Json& record : records(path)) all.push_back(record["samples"]);
    return all;
  };
  EXPECT_EQ(outputs("here/triviaqa.jsonl"), outputs("there/triviaqa.jsonl"));
  // The server's template is the folder's.
  EXPECT_EQ(outputs("here/triviaqa+chat.jsonl"), outputs("there/triviaqa+chat.jsonl"));
  EXPECT_THAT(records("there/triviaqa+chat.jsonl")[0]["prompts"][0].get<std::string>(),
              HasSubstr(R"({"content":"Dog","role":"assistant"})"));
  EXPECT_EQ(read_json(dir_ / "there/triviaqa.run.json")["sampling"], "in full");
  const Outcome strict = served("strict", task + (dir_ / "strict") + eval_samples);
  ASSERT_EQ(strict.exit_code, 0) << strict.err;
  EXPECT_EQ(outputs("strict/triviaqa.jsonl"), outputs("here/triviaqa.jsonl"));
  EXPECT_EQ(read_json(dir_ / "strict/triviaqa.run.json")["sampling"], "by the server's defaults");
  EXPECT_TRUE(is_one_clear_error(served("good", "--task c3 --chat" + eval_samples),
                                 "task c3+chat: chat completions have no log-probabilities of answers"));
}

TEST_F(EvalUrl, WithoutLogProbabilitiesOfPromptsItEndsBeforeTheRun) {
  const std::string out = " --out " + (dir_ / "out");
  for (const auto& [behaviour, reason] : {std::pair("no-echo", "do not spell the prompt"),
                                          {"refuses-echo", "Only no echo is supported"},
                                          {"no-logprobs", "the reply has no log-probabilities"},
                                          {"constant", "every token of the prompt"}}) {
    const Outcome run = served(behaviour, "--task c3,triviaqa --shots 0" + eval_samples + out);
    EXPECT_TRUE(is_one_clear_error(run, reason)) << run.err;
    EXPECT_THAT(run.err, HasSubstr("which c3 needs"));
    EXPECT_THAT(run.err, HasSubstr("triviaqa can be run"));
    EXPECT_FALSE(std::filesystem::exists(dir_ / "out"));
  }
}

TEST_F(EvalUrl, AFailureLosesNothing) {
  ASSERT_EQ(served("good", task("t.toml") + " --out " + (dir_ / "whole")).exit_code, 0);
  // The items from 200 on end it: the second chunk of 128 is lost, the first is kept.
  const Outcome failed = served("breaks-later", task("t.toml") + " --out " + (dir_ / "broken"));
  EXPECT_TRUE(ends_with_error(failed, ": HTTP status 500")) << failed.err;
  EXPECT_EQ(records("broken/t.jsonl").size(), 128u);
  EXPECT_FALSE(std::filesystem::exists(dir_ / "broken/t.result.json"));
  const int before = served_->server.asked("good");
  const Outcome resumed = served("good", task("t.toml") + " --resume --out " + (dir_ / "broken"));
  ASSERT_EQ(resumed.exit_code, 0) << resumed.err;
  EXPECT_LT(served_->server.asked("good") - before, 3 * 172 + 8);
  EXPECT_EQ(read_file(dir_ / "broken/t.result.json"), read_file(dir_ / "whole/t.result.json"));
  expect_same_sums("broken/t.jsonl", "whole/t.jsonl");
  EXPECT_TRUE(is_one_clear_error(
      served("good", task("t.toml") + " --resume --served-model x --out " + (dir_ / "broken")),
      "served_model was \"small\" and is \"x\""));
}

TEST_F(EvalUrl, TriesAgainAndGivesUpInTime) {
  const std::string few = task("g.toml") + " --limit 2 ";
  const Outcome busy = run_fathom("eval --threads 1" + url("busy") + " --url-retries 2 " + few);
  EXPECT_EQ(busy.exit_code, 0) << busy.err;
  const auto start = std::chrono::steady_clock::now();
  EXPECT_TRUE(ends_with_error(served("asleep", few + "--url-timeout 0.2"), "no reply within 0.2 seconds"));
  EXPECT_LT(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(), 5);
  EXPECT_TRUE(ends_with_error(served("torn", few), "the reply is not valid JSON"));
  EXPECT_TRUE(is_one_clear_error(run_fathom("eval --url http://127.0.0.1:1/v1 --url-retries 0 " + few),
                                 "http://127.0.0.1:1/v1: cannot connect"));
}

TEST_F(EvalUrl, AnInterruptEndsItCleanly) {
  const std::string records = dir_ / "out/t.jsonl";
  const Outcome run = run_shell("'" + program() + "' eval --threads 1" + url("slow") + " --sequences 2 " +
                                task("t.toml") + " --out " + (dir_ / "out") + " & p=$!; while [ ! -e " + records +
                                " ] && kill -0 $p; do sleep 0.005; done; kill -INT $p; wait $p");
  EXPECT_TRUE(ends_with_error(run, "interrupted")) << run.exit_code << run.err;
  ASSERT_EQ(served("good", task("t.toml") + " --resume --out " + (dir_ / "out")).exit_code, 0);
}

TEST_F(EvalUrl, ModelsAndKeys) {
  const std::string few = task("g.toml") + " --limit 1 ";
  EXPECT_TRUE(is_one_clear_error(served("two-models", few), "--served-model is needed: "));
  EXPECT_TRUE(is_one_clear_error(served("no-models", few), "does not say what it serves"));
  EXPECT_EQ(served("no-models", few + "--served-model small").exit_code, 0);
  EXPECT_TRUE(is_one_clear_error(served("keyed", few), "HTTP status 401: no such key"));
  const Outcome keyed =
      served("keyed", few + "--url-key-env EVAL_TEST_KEY --out " + (dir_ / "out"), "EVAL_TEST_KEY=secret");
  EXPECT_EQ(keyed.exit_code, 0) << keyed.err;
  EXPECT_EQ(run_shell("grep -r secret " + (dir_ / "out")).exit_code, 1);
  EXPECT_TRUE(is_one_clear_error(served("keyed", few + "--url-key-env EVAL_TEST_UNSET"), "which is not set"));
  EXPECT_TRUE(is_one_clear_error(run_fathom("eval --url nowhere " + few), "--url: must begin with http"));
}

// Software of others: a server that gives the log-probabilities of prompts.
TEST_F(EvalUrl, OfAnotherProgram) {
  const char* other = std::getenv("FATHOM_PEER_URL");
  if (!other) GTEST_SKIP() << "FATHOM_PEER_URL is not set: it names an OpenAI-compatible server";
  const std::string tasks = " --task c3,winogrande,triviaqa --shots 0 --json" + eval_samples;
  const Outcome run = run_fathom("eval --url '" + std::string(other) + "'" + tasks);
  ASSERT_EQ(run.exit_code, 0) << run.err;
  EXPECT_EQ(Json::parse(run.out).size(), 3u);
  // And the scores of its model, where a folder has that.
  const char* model = std::getenv("FATHOM_PEER_MODEL");
  if (!model) return;
  const Outcome here = run_fathom("eval '" + std::string(model) + "'" + tasks);
  ASSERT_EQ(here.exit_code, 0) << here.err;
  for (size_t i = 0; i < 2; ++i)
    EXPECT_EQ(Json::parse(run.out)[i]["averages"], Json::parse(here.out)[i]["averages"]);
}

}  // namespace
}  // namespace fathom::testing
