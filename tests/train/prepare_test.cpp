#include "train/prepare.h"

#include <gmock/gmock.h>

#include <filesystem>
#include <map>

#include "io/file.h"
#include "io/json.h"
#include "support/paths.h"
#include "support/temp_dir.h"
#include "text/tokenizer.h"
#include "train/token_shard.h"

namespace fathom {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

namespace fs = std::filesystem;

// 200 documents of very different lengths.
std::vector<std::string> write_corpus(const std::string& path) {
  std::vector<std::string> texts;
  std::string lines;
  for (int i = 0; i < 200; ++i) {
    std::string text = fmt::format("Document {} begins.", i);
    for (int j = 0; j < i * 37 % 101; ++j) text += fmt::format(" Word {} of it, naïve — 你好.", j);
    lines += "{\"text\":" + json_quoted(text) + "}\n";
    texts.push_back(text);
  }
  write_file(path, lines);
  return texts;
}

std::map<std::string, std::string> content_of(const std::string& dir) {
  std::map<std::string, std::string> files;
  for (const auto& file : fs::directory_iterator(dir))
    files[file.path().filename().string()] = file.is_directory() ? "folder" : read_file(file.path().string());
  return files;
}

std::vector<std::string> texts_of(const std::string& dir, const std::string& split) {
  const Tokenizer tokenizer = Tokenizer::load(dir);
  const TokenShards shards({dir}, split);
  std::vector<std::string> texts;
  std::vector<int32_t> document;
  for (int64_t i = 0; i < shards.tokens(); ++i) {
    document.push_back(shards.at(i));
    if (document.back() != tokenizer.eos_id()) continue;
    EXPECT_EQ(document.front(), tokenizer.bos_id());
    texts.push_back(tokenizer.decode(std::span(document).subspan(1, document.size() - 2)));
    document.clear();
  }
  EXPECT_TRUE(document.empty()) << "the last document lacks its end";
  return texts;
}

class Prepare : public ::testing::Test {
 protected:
  PrepareOptions options(const std::string& out) {
    PrepareOptions o;
    o.inputs = {dir_ / "in.jsonl"};
    o.out = dir_ / out;
    o.train_vocabulary = 300;
    o.shard_tokens = 20'000;
    return o;
  }
  // What prepare() complains of; nothing may be left in `o.out`.
  std::string error(const PrepareOptions& o) {
    const std::string text = error_of([&] { prepare(o); });
    EXPECT_FALSE(fs::exists(o.out)) << o.out << " was left behind";
    return text;
  }
  TempDir dir_;
};

TEST_F(Prepare, EveryDocumentIsInOneSplit) {
  const std::vector<std::string> texts = write_corpus(dir_ / "in.jsonl");
  PrepareOptions o = options("out");
  o.validation = 0.1;
  const PrepareReport report = prepare(o);
  const auto train = texts_of(o.out, "train"), validation = texts_of(o.out, "val");
  EXPECT_EQ(report.documents, 200);
  EXPECT_EQ(report.validation_documents, static_cast<int64_t>(validation.size()));
  EXPECT_EQ(train.size() + validation.size(), 200u);
  int64_t bytes = 0, validation_bytes = 0;
  size_t in_train = 0, in_validation = 0;
  for (const std::string& text : texts) {  // both keep the order
    bytes += static_cast<int64_t>(text.size());
    if (in_train < train.size() && train[in_train] == text) {
      ++in_train;
    } else {
      ASSERT_LT(in_validation, validation.size());
      ASSERT_EQ(validation[in_validation++], text);
      validation_bytes += static_cast<int64_t>(text.size());
    }
  }
  EXPECT_EQ(report.text_bytes, bytes);
  EXPECT_NEAR(static_cast<double>(validation_bytes) / static_cast<double>(bytes), 0.1, 0.03);
  EXPECT_EQ(TokenShards({o.out}).tokens(), report.train_tokens);
  EXPECT_EQ(TokenShards({o.out}, "val").tokens(), report.validation_tokens);
  EXPECT_EQ(TokenShards({o.out}).vocab_size(), report.vocab_size);
  EXPECT_GT(shard_files({o.out}, "train").size(), 1u);
}

TEST_F(Prepare, SameBytesWithAnyNumberOfThreads) {
  write_corpus(dir_ / "in.jsonl");
  PrepareOptions o = options("one");
  prepare(o);
  const auto one = content_of(o.out);
  for (const int threads : {5, 2}) {  // the larger team first: LLVM 14's OpenMP leaks when one grows
    o.out = dir_ / fmt::format("{}", threads);
    o.threads = threads;
    prepare(o);
    EXPECT_EQ(content_of(o.out), one) << threads;
  }
  o.out = dir_ / "again";
  o.train_vocabulary = 0;
  o.tokenizer = dir_ / "one/tokenizer.json";
  prepare(o);
  EXPECT_EQ(content_of(o.out), one) << "the tokenizer it made gives the same";
}

TEST_F(Prepare, ReplacesAnEarlierDataSetAndNothingElse) {
  write_corpus(dir_ / "in.jsonl");
  PrepareOptions o = options("out");
  o.shard_tokens = 1000;
  prepare(o);
  write_file(o.out + "/notes.txt", "mine");
  o.shard_tokens = 1'000'000;
  o.validation = 0;
  prepare(o);
  std::vector<std::string> names;
  for (const auto& [name, text] : content_of(o.out)) names.push_back(name);
  EXPECT_THAT(names,
              ElementsAre("notes.txt", "tokenizer.json", "tokenizer_config.json", "train-00000.safetensors"));
}

TEST_F(Prepare, AFailureLeavesTheOldDataSet) {
  write_corpus(dir_ / "in.jsonl");
  PrepareOptions o = options("out");
  prepare(o);
  const auto before = content_of(o.out);
  write_file(dir_ / "bad.jsonl", "{\"text\":\"fine\"}\n{\"text\":7}\n");
  o.inputs = {dir_ / "in.jsonl", dir_ / "bad.jsonl"};
  EXPECT_THAT(error_of([&] { prepare(o); }), HasSubstr("bad.jsonl:2: field 'text' must be"));
  o.train_vocabulary = 0;
  o.tokenizer = o.out;
  EXPECT_THAT(error_of([&] { prepare(o); }), HasSubstr("bad.jsonl:2: field 'text' must be"));
  EXPECT_EQ(content_of(o.out), before);
}

TEST_F(Prepare, SpecialTokensInTheTextStayText) {
  write_file(dir_ / "in.jsonl", "{\"text\":\"a<｜end▁of▁sentence｜>b\"}\n{\"text\":\"c\"}\n");
  PrepareOptions o = options("out");
  o.validation = 0;
  prepare(o);
  EXPECT_THAT(texts_of(o.out, "train"), ElementsAre("a<｜end▁of▁sentence｜>b", "c"));
}

TEST_F(Prepare, WithoutBosADocumentIsTextAndEos) {
  write_file(dir_ / "in.jsonl", "{\"text\":\"a\"}\n{\"text\":\"b\"}\n");
  PrepareOptions o = options("out");
  o.validation = 0;
  o.add_bos = false;
  prepare(o);
  const TokenShards shards({o.out});
  const Tokenizer tokenizer = Tokenizer::load(o.out);
  ASSERT_EQ(shards.tokens(), 4);
  EXPECT_EQ(shards.at(0), tokenizer.id_of("a"));
  EXPECT_EQ(shards.at(1), tokenizer.eos_id());
}

TEST_F(Prepare, BadLinesCanBeLeftOut) {
  write_file(dir_ / "in.jsonl", "{\"text\":\"a\"}\nnot JSON\n{\"text\":\"b\"}\n");
  PrepareOptions o = options("out");
  EXPECT_THAT(error(o), HasSubstr("in.jsonl:2: not valid JSON"));
  o.corpus.skip_bad = true;
  EXPECT_EQ(prepare(o).documents, 2);
}

TEST_F(Prepare, WhatIsLeftOutIsNotEncodedAndIsReported) {
  const std::vector<std::string> texts = write_corpus(dir_ / "in.jsonl");
  write_file(dir_ / "in.jsonl", read_file(dir_ / "in.jsonl") + read_file(dir_ / "in.jsonl"));
  PrepareOptions o = options("out");
  o.validation = 0;
  o.screen.exact_duplicates = true;
  EXPECT_EQ(prepare(o).documents, 200);
  EXPECT_EQ(texts_of(o.out, "train"), texts);
  const Json report = read_json(o.out + "/screening.json");
  EXPECT_EQ(report["kept"]["documents"], 200);
  EXPECT_EQ(report["dropped"]["duplicate"]["documents"], 200);
  EXPECT_EQ(report["dropped"]["duplicate"]["samples"][0]["detail"], "of " + (dir_ / "in.jsonl:1"));
  const std::string before = read_file(o.out + "/tokenizer.json");
  o.out = dir_ / "once";
  write_corpus(dir_ / "in.jsonl");
  prepare(o);
  EXPECT_EQ(read_file(o.out + "/tokenizer.json"), before) << "the tokenizer learns from what stays";
}

TEST_F(Prepare, ADryRunNeedsNoTokenizerAndWritesNothing) {
  write_corpus(dir_ / "in.jsonl");
  PrepareOptions o;
  o.inputs = {dir_ / "in.jsonl"};
  o.screen.quality = true;
  const ScreenReport report = dry_run(o);
  EXPECT_GT(report.dropped.at("quality/words").documents, 0);
  EXPECT_EQ(std::distance(fs::directory_iterator(dir_.path()), {}), 1);
}

TEST_F(Prepare, NothingThatStaysIsOneErrorWithTheReasons) {
  write_file(dir_ / "in.jsonl", "{\"text\":\"a\"}\n{\"text\":\"b\"}\n");
  PrepareOptions o = options("out");
  o.screen.quality = true;
  EXPECT_EQ(error(o), "every document was left out: quality/words (2)");
}

TEST_F(Prepare, ReadsParquetAsItReadsLines) {
  const std::string golden = testing::source_dir() + "/tests/io/parquet/polars";
  PrepareOptions o = options("lines");
  o.inputs = {golden + ".jsonl"};
  EXPECT_THAT(error(o), HasSubstr("polars.jsonl:1: field 'text' is null"));
  o.corpus.skip_bad = true;
  const PrepareReport lines = prepare(o);
  o.out = dir_ / "parquet", o.inputs = {golden + ".parquet"};
  const PrepareReport parquet = prepare(o);
  EXPECT_GT(parquet.train_tokens, 0);
  EXPECT_EQ(parquet.train_tokens, lines.train_tokens);
  EXPECT_EQ(parquet.documents, lines.documents);
  o.out = dir_ / "none", o.corpus.text_field = "body";
  EXPECT_THAT(error(o), HasSubstr("polars.parquet: has no column 'body'"));
  write_file(dir_ / "in.parquet", "PAR1");
  o.inputs = {dir_ / "in.parquet"};
  EXPECT_THAT(error(o), HasSubstr("in.parquet: is no Parquet file"));
}

TEST_F(Prepare, ASingleDocumentHasNoValidation) {
  write_file(dir_ / "in.jsonl", "{\"text\":\"only\"}\n");
  PrepareOptions o = options("out");
  const PrepareReport report = prepare(o);
  EXPECT_EQ(report.validation_documents, 0);
  EXPECT_TRUE(shard_files({o.out}, "val").empty());
  write_file(dir_ / "in.jsonl", "{\"text\":\"first\"}\n{\"text\":\"second\"}\n");
  EXPECT_EQ(prepare(o).validation_documents, 1);
}

TEST_F(Prepare, BadInputIsOneErrorAndLeavesNothing) {
  PrepareOptions o = options("out");
  EXPECT_THAT(error(o), HasSubstr("in.jsonl: no such file"));
  write_file(dir_ / "in.jsonl", "\n\n");
  EXPECT_THAT(error(o), HasSubstr("in.jsonl: there is no text in it"));
  write_corpus(dir_ / "in.jsonl");
  o.tokenizer = dir_ / "model";
  EXPECT_THAT(error(o), HasSubstr("--tokenizer and --train-tokenizer"));
  o.train_vocabulary = 0;
  EXPECT_THAT(error(o), HasSubstr("model"));
  o.tokenizer.clear();
  EXPECT_THAT(error(o), HasSubstr("give --tokenizer MODEL or --train-tokenizer SIZE"));
  o = options("out");
  o.train_vocabulary = 100;
  EXPECT_THAT(error(o), HasSubstr("a vocabulary of 100 tokens is too small"));
  o = options("out");
  o.validation = 1;
  EXPECT_THAT(error(o), HasSubstr("share for validation"));
  o = options("out");
  o.threads = 0;
  EXPECT_THAT(error(o), HasSubstr("threads must be positive"));
  o = options("out");
  o.shard_tokens = 0;
  EXPECT_THAT(error(o), HasSubstr("limit of 0"));
  o = options("out");
  o.inputs.clear();
  EXPECT_THAT(error(o), HasSubstr("name files or folders"));
  write_file(dir_ / "file", "");
  o = options("file/out");
  EXPECT_THAT(error(o), HasSubstr("file/out: cannot make"));
}

TEST_F(Prepare, ATokenizerWithoutEndIsRefused) {
  write_corpus(dir_ / "in.jsonl");
  PrepareOptions o = options("first");
  prepare(o);
  fs::remove(dir_ / "first/tokenizer_config.json");
  o = options("out");
  o.train_vocabulary = 0;
  o.tokenizer = dir_ / "first";
  const Tokenizer bare = Tokenizer::load(o.tokenizer);
  if (bare.bos_id() && bare.eos_id()) GTEST_SKIP() << "tokenizer.json alone says enough";
  EXPECT_THAT(error(o), HasSubstr("names no token for the"));
}

}  // namespace
}  // namespace fathom
