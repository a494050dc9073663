#include "io/lines.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <vector>

#include "io/file.h"
#include "support/temp_dir.h"
#include "support/text_files.h"

namespace fathom {
namespace {

using ::testing::ElementsAre;
using testing::gzipped;
using testing::joined;
using testing::many_lines;
using ::testing::StartsWith;
using testing::zstd_compressed;

std::vector<std::string> lines_of(const std::string& path) {
  LineReader reader(path);
  std::vector<std::string> lines;
  for (std::string line; reader.next(line);) lines.push_back(line);
  return lines;
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
  write_file(dir / "a.zst", zstd_compressed(text));
  write_file(dir / "a.gz", gzipped(text));
  const std::string half = text.substr(0, text.size() / 2);
  const std::string rest = text.substr(half.size());
  write_file(dir / "parts.zst", zstd_compressed(half) + zstd_compressed("") + zstd_compressed(rest));
  write_file(dir / "parts.gz", gzipped(half) + gzipped("") + gzipped(rest));
  EXPECT_EQ(lines_of(dir / "a"), lines);
  for (const char* name : {"a.zst", "a.gz", "parts.zst", "parts.gz"})
    EXPECT_EQ(lines_of(dir / name), lines) << name;
}

TEST(TextSource, RefusesDamagedFiles) {
  TempDir dir;
  for (const std::string kind : {"zstd", "gzip"}) {
    const std::string path = dir / (kind == "zstd" ? "a.zst" : "a.gz");
    const std::string text = joined(many_lines()),
                      whole = kind == "zstd" ? zstd_compressed(text) : gzipped(text);
    const auto error = [&](const std::string& bytes) {
      write_file(path, bytes);
      return error_of([&] { lines_of(path); });
    };
    for (const size_t size : {size_t{0}, size_t{3}, size_t{20}, whole.size() / 2, whole.size() - 1})
      EXPECT_EQ(error(whole.substr(0, size)), path + ": truncated " + kind + " data") << size;
    EXPECT_THAT(error("this is not compressed at all"), StartsWith(path + ": corrupt " + kind + " data"));
    EXPECT_THAT(error(whole + "garbage behind"), StartsWith(path + ": corrupt " + kind + " data"));
  }
  std::string flipped = gzipped("one\ntwo\n");
  flipped[flipped.size() - 6] ^= 1;  // in the checksum
  write_file(dir / "b.gz", flipped);
  EXPECT_THAT(error_of([&] { lines_of(dir / "b.gz"); }), StartsWith(dir / "b.gz: corrupt gzip data"));
}

// Bytes of files that are mapped and in this process's memory.
int64_t mapped_bytes_in_memory() {
  std::ifstream statm("/proc/self/statm");
  int64_t size = 0, resident = 0, shared = 0;
  statm >> size >> resident >> shared;
  return shared * ::sysconf(_SC_PAGESIZE);
}

TEST(TextSource, AFileMayBeLargerThanMemory) {
  const TempDir dir;
  write_file(dir / "large.txt", "");
  std::filesystem::resize_file(dir / "large.txt", 64 << 20);  // a hole: nothing is written
  TextSource source(dir / "large.txt");
  std::string piece(1 << 18, ' ');
  const int64_t before = mapped_bytes_in_memory();
  int64_t read = 0, most = 0;
  while (const size_t n = source.read(piece.data(), piece.size())) {
    read += static_cast<int64_t>(n);
    most = std::max(most, mapped_bytes_in_memory() - before);
  }
  EXPECT_EQ(read, 64 << 20);
  EXPECT_LT(most, 16 << 20);
}

TEST(LineReader, SkipsAByteOrderMarkAndRefusesUtf16) {
  TempDir dir;
  for (const std::string name : {"a", "a.gz"}) {
    const std::string text = "\xef\xbb\xbfone\n\xef\xbb\xbftwo\n";
    write_file(dir / name, name.ends_with(".gz") ? gzipped(text) : text);
    EXPECT_THAT(lines_of(dir / name), ElementsAre("one", "\xef\xbb\xbftwo"));
    EXPECT_TRUE(LineReader(dir / name).had_byte_order_mark());
  }
  write_file(dir / "short", "\xef\xbb");
  EXPECT_THAT(lines_of(dir / "short"), ElementsAre("\xef\xbb"));
  EXPECT_FALSE(LineReader(dir / "short").had_byte_order_mark());
  write_file(dir / "wide", std::string("\xff\xfe"
                                       "a\0",
                                       4));
  EXPECT_EQ(error_of([&] { lines_of(dir / "wide"); }), dir / "wide: is UTF-16 text; convert it to UTF-8");
}

}  // namespace
}  // namespace fathom
