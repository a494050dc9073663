#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <CLI/CLI.hpp>
#include <filesystem>

#include "base/error.h"
#include "cli/commands.h"
#include "io/file.h"
#include "text/tokenizer.h"

namespace fathom {
namespace {

using testing::HasSubstr;

class TokenizeCommand : public testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::create_directories(folder_);
    write_file(folder_ + "/a.txt", "low lower lowest low low\n");
    write_file(folder_ + "/b.jsonl", "{\"text\": \"new newer newest\"}\n");
    run({"train-tokenizer", "--vocab-size", "270", "--out", model_, folder_ + "/a.txt",
         folder_ + "/b.jsonl"});
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  static std::string run(std::vector<std::string> arguments) {
    CLI::App app;
    add_tokenize(app);
    add_train_tokenizer(app);
    std::reverse(arguments.begin(), arguments.end());
    testing::internal::CaptureStdout();
    try {
      app.parse(arguments);
    } catch (...) {
      testing::internal::GetCapturedStdout();
      throw;
    }
    return testing::internal::GetCapturedStdout();
  }

  std::string folder_ = testing::TempDir() + "/tokenize_command", model_ = folder_ + "/model";
};

TEST_F(TokenizeCommand, BothWays) {
  const Tokenizer tokenizer = Tokenizer::load(model_);
  const std::string ids = run({"tokenize", model_, "--text", "lower 你"});
  EXPECT_THAT(ids, testing::StartsWith(std::to_string(*tokenizer.bos_id()) + " "));
  EXPECT_EQ(run({"tokenize", model_, "-d", "--skip-special", "--text", ids}), "lower 你");
  write_file(folder_ + "/ids", "[" + ids + "]");
  EXPECT_EQ(run({"tokenize", model_, "-d", "-f", folder_ + "/ids"}), "<｜begin▁of▁sentence｜>lower 你");
}

TEST_F(TokenizeCommand, PiecesAndCounts) {
  EXPECT_EQ(run({"tokenize", model_, "--count", "--text", "low"}), "2\n");
  EXPECT_EQ(run({"tokenize", model_, "--count", "--no-bos", "--text", "low"}), "1\n");
  const std::string pieces = run({"tokenize", model_, "--pieces", "--no-bos", "--text", "low你"});
  EXPECT_THAT(pieces, HasSubstr("\t\"low\"\n"));
  EXPECT_THAT(pieces, HasSubstr("\t\\xe4\n"));
  EXPECT_EQ(run({"tokenize", model_, "--count", "--text", "<｜end▁of▁sentence｜>"}), "2\n");
  EXPECT_NE(run({"tokenize", model_, "--count", "--no-special", "--text", "<｜end▁of▁sentence｜>"}), "2\n");
}

TEST_F(TokenizeCommand, AFolderOrItsFilesTrainTheSameTokenizer) {
  const std::string both = folder_ + "/both";
  std::filesystem::create_directories(both);
  for (const char* name : {"/a.txt", "/b.jsonl"}) std::filesystem::copy_file(folder_ + name, both + name);
  run({"train-tokenizer", "--vocab-size", "270", "--out", both + "/model", both});
  EXPECT_EQ(read_file(both + "/model/tokenizer.json"), read_file(model_ + "/tokenizer.json"));
}

TEST_F(TokenizeCommand, AnEmptyCorpusIsRefused) {
  write_file(folder_ + "/empty.txt", "\n \n");
  EXPECT_THROW(run({"train-tokenizer", "--out", folder_ + "/new", folder_ + "/empty.txt"}), Error);
  EXPECT_FALSE(std::filesystem::exists(folder_ + "/new"));
}

TEST_F(TokenizeCommand, BadInput) {
  EXPECT_THROW(run({"tokenize", model_, "-d", "--text", "1 two"}), Error);
  EXPECT_THROW(run({"tokenize", model_, "-d", "--text", "-1"}), Error);
  EXPECT_THROW(run({"tokenize", model_, "-d", "--text", "99999999999"}), Error);
  EXPECT_THROW(run({"tokenize", folder_ + "/none", "--text", "x"}), Error);
  EXPECT_THROW(run({"tokenize", model_, "--pieces", "-d", "--text", "1"}), CLI::ParseError);
  EXPECT_THROW(run({"train-tokenizer", "--vocab-size", "200", "--out", model_, folder_ + "/a.txt"}), Error);
  EXPECT_THROW(run({"train-tokenizer", "--out", model_, folder_ + "/none.txt"}), Error);
}

}  // namespace
}  // namespace fathom
