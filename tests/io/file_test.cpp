#include "io/file.h"

#include <gmock/gmock.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>
#include <cstring>
#include <filesystem>

#include "support/temp_dir.h"

namespace fathom {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

int files_in(const TempDir& dir) {
  int n = 0;
  for ([[maybe_unused]] const auto& file : std::filesystem::directory_iterator(dir.path())) ++n;
  return n;
}

// While it lives, no file of this process can grow past `bytes`: a full disk, as far as write() is concerned.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    ::signal(SIGXFSZ, SIG_IGN);
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{bytes, before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() { ::setrlimit(RLIMIT_FSIZE, &before_); }

 private:
  rlimit before_{};
};

TEST(ReadFile, NamesWhatItCannotRead) {
  TempDir dir;
  EXPECT_THAT(error_of([&] { read_file(dir.path()); }), HasSubstr("cannot read: Is a directory"));
  EXPECT_THAT(error_of([&] { read_file(dir / "gone"); }), StartsWith(dir / "gone"));
}

TEST(ReadFile, ReadsLargeFilesAndThoseWithoutASize) {
  TempDir dir;
  std::string large(3'000'017, 'x');
  large[1'234'567] = '\0';
  write_file(dir / "large", large);
  EXPECT_EQ(read_file(dir / "large"), large);
  EXPECT_THAT(read_file("/proc/self/status"), HasSubstr("Pid:"));
}

TEST(AtomicFile, AppearsOnlyWithCommit) {
  TempDir dir;
  write_file(dir / "a", "before");
  {
    AtomicFile file(dir / "a");
    file.write("half");
    EXPECT_EQ(file.position(), 4u);
  }
  EXPECT_EQ(read_file(dir / "a"), "before");
  EXPECT_EQ(files_in(dir), 1);
  AtomicFile file(dir / "a");
  std::string expected;
  for (const size_t size : {3u, 2'000'000u, 700'000u, 700'000u, 0u, 1u}) {
    const std::string part(size, static_cast<char>('a' + size % 7));
    file.write(part);
    expected += part;
  }
  EXPECT_EQ(file.position(), expected.size());
  EXPECT_EQ(read_file(dir / "a"), "before");
  file.commit();
  EXPECT_EQ(read_file(dir / "a"), expected);
  EXPECT_EQ(files_in(dir), 1);
  EXPECT_THROW(file.write("more"), Error);
  EXPECT_THROW(file.commit(), Error);
}

TEST(AtomicFile, SweepsWhatAKilledProcessLeft) {
  TempDir dir;
  AtomicFile live(dir / "a");
  write_file(dir / "a.tmp.123.0", "half");
  write_file(dir / "a.tmp.notes", "mine");
  std::filesystem::create_symlink("a.tmp.notes", dir / "a.tmp.124.0");
  write_file(dir / "a", "whole");
  EXPECT_FALSE(std::filesystem::exists(dir / "a.tmp.123.0"));
  EXPECT_EQ(read_file(dir / "a.tmp.124.0"), "mine");
  live.write("later");
  live.commit();
  EXPECT_EQ(read_file(dir / "a"), "later");
  EXPECT_EQ(files_in(dir), 3);
}

TEST(AtomicFile, FullDiskLeavesNothingBehind) {
  TempDir dir;
  write_file(dir / "a", "before");
  FileSizeLimit limit(1'500'000);
  for (const size_t size : {size_t{2'000'000}, size_t{900'000}}) {  // fails in a large write, and in commit
    const std::string part(size, 'x');
    EXPECT_THAT(error_of([&] {
                  AtomicFile file(dir / "a");
                  file.write(part);
                  file.write(part);
                  file.commit();
                }),
                AllOf(StartsWith(dir / "a: cannot write: "), HasSubstr("too large")));
    EXPECT_EQ(read_file(dir / "a"), "before");
    EXPECT_EQ(files_in(dir), 1);
  }
}

TEST(AtomicFile, RefusesImpossibleTargets) {
  TempDir dir;
  EXPECT_THAT(error_of([&] { write_file(dir / "no/such/folder", ""); }),
              HasSubstr("No such file or directory"));
  EXPECT_THAT(error_of([&] { write_file(dir.path(), ""); }), HasSubstr("is a directory"));
  EXPECT_THAT(error_of([&] { write_file("/dev/null", ""); }), HasSubstr("not a regular file"));
}

}  // namespace
}  // namespace fathom
