#include "io/mapped_file.h"

#include <gmock/gmock.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <barrier>
#include <filesystem>
#include <optional>
#include <thread>
#include <vector>

#include "io/file.h"
#include "support/sanitized.h"
#include "support/temp_dir.h"

namespace fathom {
namespace {

using ::testing::ExitedWithCode;
using ::testing::HasSubstr;
using ::testing::KilledBySignal;

std::string text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

TEST(MappedFile, ShowsTheBytesAndMoves) {
  TempDir dir;
  write_file(dir / "a", "hello");
  MappedFile a(dir / "a");
  EXPECT_EQ(text_of(a.bytes()), "hello");
  const std::byte* address = a.bytes().data();
  MappedFile b(std::move(a));
  EXPECT_EQ(b.bytes().data(), address);
  write_file(dir / "c", "other");
  MappedFile c(dir / "c");
  c = std::move(b);
  EXPECT_EQ(text_of(c.bytes()), "hello");
  EXPECT_EQ(c.path(), dir / "a");
}

TEST(MappedFile, EmptyFileHasNoBytes) {
  TempDir dir;
  write_file(dir / "empty", "");
  EXPECT_TRUE(MappedFile(dir / "empty").bytes().empty());
  EXPECT_EQ(read_file(dir / "empty"), "");
}

TEST(MappedFile, KeepsItsContentWhenThePathIsReplaced) {
  TempDir dir;
  write_file(dir / "a", "old");
  MappedFile mapped(dir / "a");
  write_file(dir / "a", "new!");
  EXPECT_EQ(text_of(mapped.bytes()), "old");
  EXPECT_EQ(read_file(dir / "a"), "new!");
}

TEST(MappedFile, RefusesWhatIsNotAFile) {
  TempDir dir;
  EXPECT_EQ(error_of([&] { MappedFile(dir / "gone"); }),
            dir / "gone" + ": cannot open: No such file or directory");
  EXPECT_EQ(error_of([] { MappedFile file(""); }), "a file name is empty");
  EXPECT_THAT(error_of([&] { MappedFile(dir.path()); }), HasSubstr("is a directory"));
  ::mkfifo((dir / "pipe").c_str(), 0600);
  EXPECT_THAT(error_of([&] { MappedFile(dir / "pipe"); }), HasSubstr("not a regular file"));
}

// A file of 64 pages, cut to one page while it is mapped.
struct Shrunk {
  Shrunk() : name(dir / "data") {
    write_file(name, std::string(64 * 4096, 'x'));
    file.emplace(name);
    std::filesystem::resize_file(name, 4096);
  }
  std::byte beyond() const { return *static_cast<const volatile std::byte*>(&file->bytes()[5000]); }

  TempDir dir;
  std::string name;
  std::optional<MappedFile> file;
};

class MappingGuard : public ::testing::Test {
 protected:
  void SetUp() override { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
};

constexpr const char* line =
    "^fathom: [^\n]*/data: the file shrank or could not be read while it was in use\n$";

TEST_F(MappingGuard, AFileThatShrinksEndsTheProcessWithOneLine) {
  EXPECT_EXIT(Shrunk().beyond(), ExitedWithCode(1), line);
}

TEST_F(MappingGuard, NamesTheRightOneOfMany) {
  EXPECT_EXIT(
      {
        const TempDir dir;
        std::vector<MappedFile> files;
        for (int i = 0; i < 100; ++i) {
          const std::string name = dir / std::to_string(i);
          write_file(name, "content");
          files.emplace_back(name);
        }
        for (int i = 0; i < 50; ++i) files.erase(files.begin() + i);  // their guards are used again
        Shrunk shrunk;
        const Shrunk unused;
        const MappedFile moved = std::move(*shrunk.file);
        shrunk.file.emplace(std::move(files.back()));
        static_cast<void>(*static_cast<const volatile std::byte*>(&moved.bytes()[9000]));
      },
      ExitedWithCode(1), line);
}

TEST_F(MappingGuard, ManyThreadsGiveOneLine) {
  EXPECT_EXIT(
      {
        const Shrunk shrunk;
        std::barrier start(8);
        std::vector<std::jthread> threads;
        for (int i = 0; i < 8; ++i)
          threads.emplace_back([&] {
            start.arrive_and_wait();
            shrunk.beyond();
          });
      },
      ExitedWithCode(1), line);
}

TEST_F(MappingGuard, OtherBusErrorsAreNotItsOwn) {
  if (testing::sanitized)
    GTEST_SKIP() << "the sanitizer reports such signals itself: ctest --preset cpu runs it";
  EXPECT_EXIT(
      {
        const MappedFile exists("/proc/self/exe");
        ::raise(SIGBUS);
      },
      KilledBySignal(SIGBUS), "^$");
  EXPECT_EXIT(
      {
        const MappedFile exists("/proc/self/exe");
        const int file = ::memfd_create("other", 0);
        static_cast<void>(::ftruncate(file, 4096));
        const volatile char* other =
            static_cast<char*>(::mmap(nullptr, 4096, PROT_READ, MAP_SHARED, file, 0));
        static_cast<void>(::ftruncate(file, 0));
        static_cast<void>(*other);
      },
      KilledBySignal(SIGBUS), "^$");
}

TEST(MappedFile, AnotherFileInItsPlaceIsNoMatter) {
  TempDir dir;
  write_file(dir / "a", "hello, world");
  const MappedFile file(dir / "a");
  EXPECT_EQ(error_of([&] { file.check_size(); }), "");
  write_file(dir / "b", "x");  // another file in its place; the mapped one stays whole
  std::filesystem::rename(dir / "b", dir / "a");
  EXPECT_EQ(error_of([&] { file.check_size(); }), "");
}

TEST(MappedFile, SaysThatItShrank) {
  TempDir dir;
  write_file(dir / "a", "hello, world");
  const MappedFile file(dir / "a");
  std::filesystem::resize_file(dir / "a", 5);
  EXPECT_EQ(error_of([&] { file.check_size(); }),
            dir / "a" + ": the file shrank from 12 to 5 bytes while it was in use");
}

}  // namespace
}  // namespace fathom
