#include "io/documents.h"

#include <gmock/gmock.h>

#include <vector>

#include "io/file.h"
#include "support/paths.h"
#include "support/temp_dir.h"
#include "support/text_files.h"

namespace fathom {
namespace {

using ::testing::ElementsAre;
using testing::gzipped;
using ::testing::HasSubstr;
using testing::joined;
using testing::many_lines;
using ::testing::StartsWith;
using testing::zstd_compressed;

std::vector<std::string> documents_of(const std::string& path, const std::string& field = "text") {
  DocumentReader reader(path, text_format_of(path).value(), field);
  std::vector<std::string> documents;
  for (std::string document; reader.next(document);) documents.push_back(document);
  EXPECT_EQ(reader.consumed(), reader.total());
  return documents;
}

TEST(DocumentReader, TextFileIsOneDocument) {
  TempDir dir;
  const std::string text = joined(many_lines());
  write_file(dir / "a.txt", text);
  write_file(dir / "a.txt.zst", zstd_compressed(text));
  write_file(dir / "a.txt.gz", gzipped(text));
  write_file(dir / "empty.txt", "");
  EXPECT_THAT(documents_of(dir / "a.txt"), ElementsAre(text));
  EXPECT_THAT(documents_of(dir / "a.txt.zst"), ElementsAre(text));
  EXPECT_THAT(documents_of(dir / "a.txt.gz"), ElementsAre(text));
  EXPECT_THAT(documents_of(dir / "empty.txt"), ElementsAre());
}

TEST(DocumentReader, JsonLines) {
  TempDir dir;
  const std::string text =
      "{\"text\": \"one\\ntwo\"}\n\n  \r\n{\"body\": \"b\", \"text\": \"\"}\r\n{\"text\": \"\\u00e9\"}";
  write_file(dir / "a.jsonl", text);
  write_file(dir / "a.jsonl.zst", zstd_compressed(text));
  write_file(dir / "a.jsonl.gz", gzipped(text));
  EXPECT_THAT(documents_of(dir / "a.jsonl"), ElementsAre("one\ntwo", "", "é"));
  EXPECT_THAT(documents_of(dir / "a.jsonl.zst"), ElementsAre("one\ntwo", "", "é"));
  EXPECT_THAT(documents_of(dir / "a.jsonl.gz"), ElementsAre("one\ntwo", "", "é"));
  write_file(dir / "b.jsonl", "{\"body\": \"b\"}\n");
  EXPECT_THAT(documents_of(dir / "b.jsonl", "body"), ElementsAre("b"));
}

TEST(DocumentReader, ErrorsNameTheLine) {
  TempDir dir;
  const auto error = [&](const std::string& line) {
    write_file(dir / "a.jsonl", "{\"text\": \"fine\"}\n\n" + line + "\n");
    return error_of([&] { documents_of(dir / "a.jsonl"); });
  };
  EXPECT_EQ(error("{\"txt\": 1}"), dir / "a.jsonl:3: field 'text' is missing");
  EXPECT_EQ(error("{\"text\": 1}"), dir / "a.jsonl:3: field 'text' must be a string, got 1");
  EXPECT_EQ(error("[]"), dir / "a.jsonl:3: must be a JSON object, got a list");
  EXPECT_THAT(error("{\"text\": "), StartsWith(dir / "a.jsonl:3: not valid JSON at byte"));
}

TEST(DocumentReader, LeavesOutAndCountsBadLines) {
  TempDir dir;
  write_file(dir / "a.jsonl", "{\"text\": \"1\"}\n[]\n{\"text\": \n{\"text\": \"2\"}\n{}\n{\"text\": 3}\n");
  BadLines bad;
  DocumentReader reader(dir / "a.jsonl", TextFormat::jsonl, "text", &bad);
  std::vector<std::string> documents;
  for (std::string document; reader.next(document);) documents.push_back(document);
  EXPECT_THAT(documents, ElementsAre("1", "2"));
  EXPECT_EQ(bad.count, 4);
  ASSERT_EQ(bad.examples.size(), BadLines::most_examples);
  EXPECT_EQ(bad.examples[0], dir / "a.jsonl:2: must be a JSON object, got a list");
  EXPECT_THAT(bad.examples[1], StartsWith(dir / "a.jsonl:3: not valid JSON"));
  EXPECT_EQ(bad.examples[2], dir / "a.jsonl:5: field 'text' is missing");
}

TEST(DocumentReader, ParquetRowsAreDocuments) {
  const std::string golden = testing::source_dir() + "/tests/io/parquet/";
  const auto documents = documents_of(golden + "one_value.parquet", "a");
  EXPECT_EQ(documents.size(), 900u);
  EXPECT_EQ(documents.back(), "same");
  BadLines bad;
  DocumentReader reader(golden + "fastparquet.parquet", TextFormat::parquet, "text", &bad);
  std::string document;
  ASSERT_TRUE(reader.next(document));
  EXPECT_EQ(document, "row 1");
  EXPECT_EQ(reader.line_number(), 2);
  while (reader.next(document)) {
  }
  EXPECT_EQ(bad.count, 17);
  EXPECT_EQ(bad.examples[0], golden + "fastparquet.parquet:1: field 'text' is null");
  EXPECT_THAT(error_of([&] { documents_of(golden + "types_v1.parquet", "i32"); }),
              HasSubstr("types_v1.parquet:1: field 'i32' must be a string, got -2147483648"));
  EXPECT_THAT(error_of([&] { documents_of(golden + "types_v1.parquet", "word2"); }),
              HasSubstr("no column 'word2'"));
}

TEST(TextFormatOf, GoesByTheName) {
  EXPECT_EQ(text_format_of("b/a.parquet"), TextFormat::parquet);
  EXPECT_FALSE(text_format_of("a.parquet.gz"));
  for (const char* name : {"a.txt", "b/a.txt.gz", "a.txt.zst", ".txt"})
    EXPECT_EQ(text_format_of(name), TextFormat::text) << name;
  for (const char* name : {"a.jsonl", "a.ndjson.gz", "a.jsonl.zst"})
    EXPECT_EQ(text_format_of(name), TextFormat::jsonl) << name;
  for (const char* name : {"a", "a.csv", "a.json", "a.gz", "a.txt.gz.zst", "a.TXT", "a.jsonl.bz2"})
    EXPECT_FALSE(text_format_of(name)) << name;
}

}  // namespace
}  // namespace fathom
