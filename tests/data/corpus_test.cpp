#include "data/corpus.h"

#include <gmock/gmock.h>

#include <filesystem>

#include "io/file.h"
#include "support/temp_dir.h"

namespace fathom {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

struct Contents {
  std::vector<std::string> documents;
  CorpusNotes notes;
};

Contents read(const std::vector<std::string>& inputs, const CorpusOptions& options = {}) {
  CorpusReader reader(corpus_files(inputs, options), options);
  std::vector<std::string> all;
  for (std::string document; reader.next(document);) all.push_back(document);
  EXPECT_EQ(reader.bytes_consumed(), reader.bytes_total());
  return {all, reader.notes()};
}

std::vector<std::string> documents(const std::vector<std::string>& inputs, int64_t chunk_size) {
  CorpusOptions options;
  options.chunk_size = chunk_size;
  return read(inputs, options).documents;
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
  write_file(dir / "t/.hidden.txt", "hidden");
  write_file(dir / "other.txt", "named itself");
  EXPECT_THAT(documents({dir / "other.txt", dir / "t"}, 2000),
              ElementsAre("named itself", "a", "b", "j1", "j2"));
  EXPECT_TRUE(documents({}, 2000).empty());
}

TEST(Corpus, AFormatCanBeForced) {
  TempDir dir;
  std::filesystem::create_directories(dir / "t");
  write_file(dir / "t/a.csv", "1,2");
  write_file(dir / "t/b.md", "text");
  CorpusOptions as_text;
  as_text.format = TextFormat::text;
  EXPECT_THAT(read({dir / "t", dir / "t/a.csv"}, as_text).documents, ElementsAre("1,2", "text", "1,2"));
  write_file(dir / "lines.json", "{\"text\":\"x\"}\n");
  CorpusOptions as_jsonl;
  as_jsonl.format = TextFormat::jsonl;
  EXPECT_THAT(read({dir / "lines.json"}, as_jsonl).documents, ElementsAre("x"));
}

TEST(Corpus, CountsWhatIsBlankBadOrNotUtf8) {
  TempDir dir;
  write_file(dir / "a.jsonl", "\xef\xbb\xbf{\"text\":\"one\"}\n\n{\"text\":\" \\n\"}\nno\n{\"text\":\"\"}\n");
  write_file(dir / "b.txt", "\n \n");
  write_file(dir / "c.txt", "\xef\xbb\xbf\nfine\n\nna\xefve\n\xc3\xa9\xc3\n\xf0\x9f\n");
  CorpusOptions options;
  options.skip_bad = true;
  for (const int64_t chunk_size : {0, 2, 2000}) {
    options.chunk_size = chunk_size;
    const CorpusNotes notes = read({dir / "a.jsonl", dir / "b.txt", dir / "c.txt"}, options).notes;
    EXPECT_EQ(notes.bad_lines.count, 1);
    EXPECT_EQ(notes.blank_documents, 3);
    EXPECT_EQ(notes.byte_order_marks, 2);
    EXPECT_EQ(notes.first_byte_order_mark, dir / "a.jsonl");
    EXPECT_EQ(notes.malformed_bytes, 4);
    EXPECT_EQ(notes.first_malformed, dir / "c.txt:4") << chunk_size;
  }
}

TEST(Corpus, BadInput) {
  TempDir dir;
  const auto error = [](const std::string& path) { return error_of([&] { read({path}); }); };
  EXPECT_EQ(error(dir / "gone.txt"), dir / "gone.txt: no such file or folder");
  EXPECT_THAT(error(dir.path()), HasSubstr("the folder holds no file named .txt, .jsonl"));
  CorpusOptions options;
  options.chunk_size = -1;
  EXPECT_THAT(error_of([&] { read({}, options); }), HasSubstr("chunks of -1"));
  write_file(dir / "a.jsonl", "{\"text\":\"ok\"}\n{\"body\":\"x\"}\n");
  EXPECT_THAT(error(dir / "a.jsonl"), HasSubstr("a.jsonl:2: field 'text'"));
  for (const char* name : {"table.csv", "noname", "a.json", "a.gz", "a.txt.bz2"}) {
    write_file(dir / name, "x");
    EXPECT_THAT(error(dir / name), ::testing::AllOf(HasSubstr(name), HasSubstr("--as text")));
  }
}

}  // namespace
}  // namespace fathom
