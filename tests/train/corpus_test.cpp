#include "train/corpus.h"

#include <gmock/gmock.h>

#include <filesystem>

#include "io/file.h"
#include "support/temp_dir.h"

namespace fathom {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<std::string> documents(const std::vector<std::string>& inputs, int64_t chunk_size) {
  CorpusReader reader(corpus_files(inputs), "text", chunk_size);
  std::vector<std::string> all;
  for (std::string document; reader.next(document);) all.push_back(document);
  EXPECT_EQ(reader.bytes_consumed(), reader.bytes_total());
  return all;
}

TEST(Corpus, CutsPlainTextAtBlankLines) {
  TempDir dir;
  write_file(dir / "a.txt", "\n\none\ntwo\r\n\nthree\n \t\n\nfour five six\n\nseven");
  EXPECT_THAT(documents({dir / "a.txt"}, 6), ElementsAre("one\ntwo", "three", "four five six", "seven"));
  EXPECT_THAT(documents({dir / "a.txt"}, 12), ElementsAre("one\ntwo\n\nthree", "four five six", "seven"));
  EXPECT_THAT(documents({dir / "a.txt"}, 1000), ElementsAre("one\ntwo\n\nthree\n\n\nfour five six\n\nseven"));
  EXPECT_THAT(documents({dir / "a.txt"}, 0), ElementsAre(read_file(dir / "a.txt")));
}

TEST(Corpus, CutsAtLineEndsWhereNoBlankLineComes) {
  TempDir dir;
  std::string text;
  for (int i = 0; i < 10; ++i) text += "twenty bytes a line\n";
  write_file(dir / "a.txt", text);
  const auto chunks = documents({dir / "a.txt"}, 10);  // 80 bytes are four lines
  ASSERT_EQ(chunks.size(), 3u);
  EXPECT_EQ(chunks[0] + "\n" + chunks[1] + "\n" + chunks[2] + "\n", text);
  EXPECT_EQ(chunks[0].size(), 79u);
}

TEST(Corpus, WalksFoldersInOrder) {
  TempDir dir;
  std::filesystem::create_directories(dir / "t/sub");
  write_file(dir / "t/b.txt", "b");
  write_file(dir / "t/sub/a.jsonl", "{\"text\":\"j1\"}\n\n{\"text\":\" \"}\n{\"text\":\"j2\"}\n");
  write_file(dir / "t/a.txt", "a");
  write_file(dir / "t/empty.txt", "\n \n");
  write_file(dir / "t/picture.png", "not text");
  write_file(dir / "other.log", "named itself");
  EXPECT_THAT(documents({dir / "other.log", dir / "t"}, 2000),
              ElementsAre("named itself", "a", "b", "j1", "j2"));
  EXPECT_TRUE(documents({}, 2000).empty());
}

TEST(Corpus, BadInput) {
  TempDir dir;
  EXPECT_EQ(error_of([&] { corpus_files({dir / "gone"}); }), dir / "gone" + ": no such file or folder");
  EXPECT_THAT(error_of([&] { corpus_files({dir.path()}); }), HasSubstr("holds no .txt or .jsonl"));
  EXPECT_THAT(error_of([] { CorpusReader({}, "text", -1); }), HasSubstr("chunks of -1"));
  write_file(dir / "a.jsonl", "{\"text\":\"ok\"}\n{\"body\":\"x\"}\n");
  EXPECT_THAT(error_of([&] { documents({dir / "a.jsonl"}, 0); }), HasSubstr("a.jsonl:2: field 'text'"));
}

}  // namespace
}  // namespace fathom
