// fathom report as a user runs it, over runs of fathom train; and what Chromium makes of the page.
#include <gmock/gmock.h>

#include <cstdlib>
#include <filesystem>

#include "io/json.h"
#include "support/program.h"

namespace fathom {
namespace {

using ::testing::HasSubstr;
using testing::is_one_clear_error;
using testing::Outcome;
using testing::run_fathom;

// Two runs of a small model, of which the second had another learning rate, was stopped, and went on.
class ReportCommand : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    dir_ = std::make_unique<TempDir>();
    std::string text;
    for (int i = 0; i < 400; ++i)
      text += "{\"text\": \"the low sun and the lower moon, " + std::to_string(i) + "\"}\n";
    write_file(*dir_ / "text.jsonl", text);
    const Outcome prepared = run_fathom("prepare " + *dir_ / "text.jsonl" +
                                        " --train-tokenizer 280 --validation 0.1 --out " + *dir_ / "data");
    ASSERT_EQ(prepared.exit_code, 0) << prepared.err;
    train("first", "");
    train("second", "--optimizer.lr 0.01 --run.stop_at 4");
    train("second", "--optimizer.lr 0.01 --resume");
  }
  static void TearDownTestSuite() { dir_.reset(); }

  static void train(const std::string& name, const std::string& more) {
    const Outcome run = run_fathom(
        "train --data.train " + *dir_ / "data" + " --run.output " + *dir_ / name +
        " --model.vocab_size 280 --model.hidden_size 16 --model.num_hidden_layers 2 "
        "--model.intermediate_size 24"
        " --model.num_attention_heads 2 --model.q_lora_rank 0 --model.kv_lora_rank 8 "
        "--model.qk_nope_head_dim 8"
        " --model.qk_rope_head_dim 4 --model.v_head_dim 8 --model.n_routed_experts 4 "
        "--model.num_experts_per_tok 2"
        " --model.moe_intermediate_size 8 --model.first_k_dense_replace 1 --data.sequence_length 32"
        " --schedule.steps 9 --validation.every 3 --run.log_every 2 --run.threads 1 " +
        more);
    ASSERT_EQ(run.exit_code, 0) << run.err;
  }
  static std::string path(const std::string& name) { return *dir_ / name; }

  // What the page's element of data holds.
  static Json data_of(const std::string& page) {
    const std::string text = read_file(page), open = "id=\"data\">";
    const size_t begin = text.find(open) + open.size();
    return parse_json(text.substr(begin, text.find("</script>", begin) - begin), page);
  }

  static std::unique_ptr<TempDir> dir_;
};
std::unique_ptr<TempDir> ReportCommand::dir_;

TEST_F(ReportCommand, ComparesRunsOfTrain) {
  const Outcome report =
      run_fathom("report " + path("first") + " " + path("second") + " --out " + path("page.html"));
  ASSERT_EQ(report.exit_code, 0) << report.err;
  EXPECT_THAT(report.out, HasSubstr("page.html: 2 runs, "));
  const Json runs = data_of(path("page.html")).at("runs");
  ASSERT_EQ(runs.size(), 2u);
  EXPECT_EQ(runs[0].at("recipe").at("optimizer.lr"), "0.0003");
  EXPECT_EQ(runs[1].at("recipe").at("optimizer.lr"), "0.01");
  EXPECT_EQ(runs[0].at("recipe").at("model.hidden_size"), "16");
  for (const Json& run : runs) {
    EXPECT_EQ(run.at("last_step"), 9);
    EXPECT_EQ(run.at("series").at("loss").at("steps"), Json({1, 2, 3, 4, 5, 6, 7, 8, 9}));
    EXPECT_EQ(run.at("series").at("validation_loss").at("steps"), Json({3, 6, 9}));
    EXPECT_EQ(run.at("load").at("layers"), Json({1}));
    EXPECT_EQ(run.at("load").at("experts"), 4);
    EXPECT_GT(run.at("series").at("host_memory").at("last").at(0), 1e6);
  }
  EXPECT_EQ(runs[0].at("load").at("steps"), Json({2, 4, 6, 8, 9}));
}

TEST_F(ReportCommand, WhatCannotBeReadIsOneError) {
  const auto fails = [&](const std::string& arguments, const std::string& what) {
    const Outcome run = run_fathom("report " + arguments + " --out " + path("none.html"));
    EXPECT_TRUE(is_one_clear_error(run, what)) << run.err;
    EXPECT_FALSE(std::filesystem::exists(path("none.html")));
  };
  fails(path("nowhere"), "nowhere: there is no such folder");
  fails(path("data"), "metrics.jsonl: there is none");
  fails(path("first") + " " + path("first"), "first: is given twice");
}

// FATHOM_PEER_PYTHON names a Python that has playwright.
TEST_F(ReportCommand, ChromiumShowsIt) {
  const char* python = std::getenv("FATHOM_PEER_PYTHON");
  if (!python) GTEST_SKIP() << "FATHOM_PEER_PYTHON is not set";
  // A run whose words would like to be markup, and whose loss was not finite at times.
  const std::string hostile =
      OrderedJson("</script><script>hacked()</script><img src=x onerror=hacked()>\u2028").dump();
  std::filesystem::create_directories(path("hostile"));
  std::string metrics;
  for (int step = 1; step <= 50; ++step)
    metrics += "{\"step\":" + std::to_string(step) + ",\"time\":1,\"loss\":" + (step == 30 ? "null" : "2.5") +
               ",\"grad_norm\":1e9,\"lr\":1e-5,\"tokens_per_second\":0," + hostile + ":3}\n";
  write_file(path("hostile/metrics.jsonl"), metrics);
  write_file(path("hostile/samples.jsonl"),
             "{\"step\":1,\"prompt\":" + hostile + ",\"text\":" + hostile + "}\n");
  write_file(path("hostile/run.json"), "{\"format\":1,\"recipe\":{" + hostile + ":" + hostile +
                                           "},\"rollbacks\":[{\"step\":40,\"to\":30,\"why\":" + hostile +
                                           "}]}");

  for (const std::string& runs :
       {path("first"), path("first") + " " + path("second"), path("first") + " " + path("hostile")}) {
    ASSERT_EQ(run_fathom("report " + runs + " --out " + path("page.html")).exit_code, 0);
    const Outcome check = testing::run_shell(std::string(python) + " " + testing::source_dir() +
                                             "/tools/page_check.py " + path("page.html") + " " + runs);
    if (check.exit_code == 77) GTEST_SKIP() << check.out;
    EXPECT_EQ(check.exit_code, 0) << check.out << check.err;
  }
}

}  // namespace
}  // namespace fathom
