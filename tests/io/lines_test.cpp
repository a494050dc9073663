#include "io/lines.h"

#include <gmock/gmock.h>
#include <zstd.h>

#include <vector>

#include "io/file.h"
#include "support/temp_dir.h"

namespace fathom {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

std::string compressed(const std::string& text) {
  std::string out(ZSTD_compressBound(text.size()), '\0');
  out.resize(ZSTD_compress(out.data(), out.size(), text.data(), text.size(), 3));
  return out;
}

std::vector<std::string> lines_of(const std::string& path) {
  LineReader reader(path);
  std::vector<std::string> lines;
  for (std::string line; reader.next(line);) lines.push_back(line);
  return lines;
}

std::vector<std::string> documents_of(const std::string& path, const std::string& field = "text") {
  DocumentReader reader(path, field);
  std::vector<std::string> documents;
  for (std::string document; reader.next(document);) documents.push_back(document);
  EXPECT_EQ(reader.bytes_consumed(), reader.bytes_total());
  return documents;
}

// Several megabytes that do not compress to nothing, in lines of very different lengths.
std::vector<std::string> many_lines() {
  std::vector<std::string> lines;
  uint32_t state = 1;
  for (int i = 0; i < 3000; ++i) {
    std::string line;
    const int length = i == 1500 ? 1'000'000 : i % 1999;
    for (int j = 0; j < length; ++j)
      line += static_cast<char>('a' + ((state = state * 1664525 + 1013904223) >> 28));
    lines.push_back(line);
  }
  return lines;
}

std::string joined(const std::vector<std::string>& lines, const std::string& end = "\n") {
  std::string text;
  for (const std::string& line : lines) text += line + end;
  return text;
}

TEST(LineReader, SplitsLines) {
  TempDir dir;
  write_file(dir / "a", "one\r\n\ntwo\nlast");
  EXPECT_THAT(lines_of(dir / "a"), ElementsAre("one", "", "two", "last"));
  write_file(dir / "b", "\n");
  EXPECT_THAT(lines_of(dir / "b"), ElementsAre(""));
  write_file(dir / "c", "");
  EXPECT_THAT(lines_of(dir / "c"), ElementsAre());
}

TEST(LineReader, PlainAndCompressedGiveTheSame) {
  TempDir dir;
  const auto lines = many_lines();
  const std::string text = joined(lines);
  write_file(dir / "a", text);
  write_file(dir / "a.zst", compressed(text));
  const std::string half = text.substr(0, text.size() / 2);
  write_file(dir / "frames.zst", compressed(half) + compressed("") + compressed(text.substr(half.size())));
  EXPECT_EQ(lines_of(dir / "a"), lines);
  EXPECT_EQ(lines_of(dir / "a.zst"), lines);
  EXPECT_EQ(lines_of(dir / "frames.zst"), lines);
}

TEST(TextSource, RefusesDamagedFrames) {
  TempDir dir;
  const std::string whole = compressed(joined(many_lines()));
  for (const size_t size : {size_t{0}, size_t{3}, size_t{20}, whole.size() / 2, whole.size() - 1}) {
    write_file(dir / "cut.zst", whole.substr(0, size));
    EXPECT_EQ(error_of([&] { lines_of(dir / "cut.zst"); }), dir / "cut.zst: truncated zstd data") << size;
  }
  write_file(dir / "bad.zst", "this is not zstd at all");
  EXPECT_THAT(error_of([&] { lines_of(dir / "bad.zst"); }), StartsWith(dir / "bad.zst: corrupt zstd data"));
  write_file(dir / "bad.zst", whole + "garbage behind");
  EXPECT_THAT(error_of([&] { lines_of(dir / "bad.zst"); }), StartsWith(dir / "bad.zst: corrupt zstd data"));
}

TEST(DocumentReader, TextFileIsOneDocument) {
  TempDir dir;
  const std::string text = joined(many_lines());
  write_file(dir / "a.txt", text);
  write_file(dir / "a.txt.zst", compressed(text));
  write_file(dir / "empty.txt", "");
  EXPECT_THAT(documents_of(dir / "a.txt"), ElementsAre(text));
  EXPECT_THAT(documents_of(dir / "a.txt.zst"), ElementsAre(text));
  EXPECT_THAT(documents_of(dir / "empty.txt"), ElementsAre());
}

TEST(DocumentReader, JsonLines) {
  TempDir dir;
  const std::string text =
      "{\"text\": \"one\\ntwo\"}\n\n  \r\n{\"body\": \"b\", \"text\": \"\"}\r\n{\"text\": \"\\u00e9\"}";
  write_file(dir / "a.jsonl", text);
  write_file(dir / "a.jsonl.zst", compressed(text));
  EXPECT_THAT(documents_of(dir / "a.jsonl"), ElementsAre("one\ntwo", "", "é"));
  EXPECT_THAT(documents_of(dir / "a.jsonl.zst"), ElementsAre("one\ntwo", "", "é"));
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

}  // namespace
}  // namespace fathom
