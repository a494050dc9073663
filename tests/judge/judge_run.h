// fathom judge run against tests/judge/judge_server.py, on small benchmarks.
#pragma once
#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "http/chat_endpoint.h"
#include "io/file.h"
#include "judge/mt_files.h"
#include "support/program.h"
#include "support/python_server.h"

namespace fathom::testing {

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
    return std::stoi(
        *endpoint.ask({.messages = {{{"role", "user"}, {"content", behaviour}}}, .sampling = {}}).text);
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

}  // namespace fathom::testing
