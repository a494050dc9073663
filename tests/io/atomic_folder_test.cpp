// AtomicFolder: whole or not at all, nothing of the user's lost, leftovers swept. tests/cli/kill_test.cpp
// kills the program at every step of it.
#include "io/atomic_folder.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/stat.h>

#include <filesystem>

#include "io/file.h"
#include "support/temp_dir.h"

namespace fathom {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

namespace fs = std::filesystem;

const FilePatterns ours = {"part-*.bin", "index.json"};

void make_folder(const std::string& path, const std::vector<std::string>& names, const std::string& text) {
  fs::create_directories(path);
  for (const std::string& name : names) write_file(path + "/" + name, text);
}

void commit(const std::string& path, const std::vector<std::string>& names, const std::string& text) {
  AtomicFolder folder(path, ours);
  make_folder(folder.path(), names, text);
  folder.commit();
}

TEST(AtomicFolder, AppearsOnlyWithCommit) {
  const TempDir dir;
  {
    AtomicFolder folder(dir / "new/deep/out", ours);
    write_file(folder.path() + "/index.json", "1");
    EXPECT_FALSE(fs::exists(dir / "new/deep/out"));
  }
  EXPECT_THAT(names_in(dir.path()), ElementsAre()) << "nor the folders above it";
  commit(dir / "new/deep/out/", {"index.json", "part-1.bin"}, "1");
  EXPECT_THAT(names_in(dir / "new/deep"), ElementsAre("out"));
  EXPECT_EQ(read_file(dir / "new/deep/out/part-1.bin"), "1");
}

TEST(AtomicFolder, ReplacesItsOwnFilesAndKeepsTheUsers) {
  const TempDir dir;
  commit(dir / "out", {"index.json", "part-1.bin", "part-2.bin"}, "old");
  make_folder(dir / "out/raw/deep", {"text"}, "mine");
  write_file(dir / "out/notes.txt", "mine");
  fs::create_symlink("nowhere", dir / "out/link");
  fs::permissions(dir / "out", fs::perms(0750));
  {
    AtomicFolder abandoned(dir / "out", ours);
    write_file(abandoned.path() + "/index.json", "new");
  }
  EXPECT_EQ(read_file(dir / "out/index.json"), "old");
  commit(dir / "out", {"index.json", "part-3.bin"}, "new");
  EXPECT_THAT(names_in(dir / "out"), ElementsAre("index.json", "link", "notes.txt", "part-3.bin", "raw"));
  EXPECT_EQ(read_file(dir / "out/index.json"), "new");
  EXPECT_EQ(read_file(dir / "out/notes.txt"), "mine");
  EXPECT_EQ(read_file(dir / "out/raw/deep/text"), "mine");
  EXPECT_EQ(fs::read_symlink(dir / "out/link"), "nowhere");
  EXPECT_EQ(fs::status(dir / "out").permissions(), fs::perms(0750));
  EXPECT_THAT(names_in(dir.path()), ElementsAre("out"));
}

TEST(AtomicFolder, ALinkToAFolderStaysALink) {
  const TempDir dir;
  commit(dir / "disk/real", {"index.json"}, "old");
  fs::create_symlink("disk/real", dir / "out");
  commit(dir / "out", {"index.json"}, "new");
  EXPECT_TRUE(fs::is_symlink(dir / "out"));
  EXPECT_EQ(read_file(dir / "disk/real/index.json"), "new");
  fs::create_symlink("gone", dir / "broken");
  EXPECT_THAT(error_of([&] { AtomicFolder(dir / "broken", ours); }), StartsWith(dir / "broken: cannot find"));
}

TEST(AtomicFolder, LeftoversAreSweptAndTheUsersFilesComeBack) {
  const TempDir dir;
  commit(dir / "out", {"index.json"}, "now");
  // Killed while it wrote; killed after the exchange; of another folder; not a leftover's name.
  make_folder(dir / ".unfinished-out-000001", {"part-1.bin", "index.json.tmp.12.0"}, "half");
  make_folder(dir / ".unfinished-out-000002", {"index.json", "notes.txt"}, "old");
  make_folder(dir / ".unfinished-out-000002/raw", {"text"}, "mine");
  make_folder(dir / ".unfinished-out-2-000003", {"index.json"}, "other");
  make_folder(dir / ".unfinished-out", {"index.json"}, "other");
  sweep_leftovers_of(dir / "out", ours);
  EXPECT_THAT(names_in(dir.path()), ElementsAre(".unfinished-out", ".unfinished-out-2-000003", "out"));
  EXPECT_THAT(names_in(dir / "out"), ElementsAre("index.json", "notes.txt", "raw"));
  EXPECT_EQ(read_file(dir / "out/index.json"), "now");
  sweep_leftovers(dir.path(), ours);
  EXPECT_THAT(names_in(dir.path()), ElementsAre(".unfinished-out", "out"));
  sweep_leftovers(dir / "nowhere", ours);
}

TEST(AtomicFolder, TheOldContentComesBackWhereFoldersCannotBeExchanged) {
  const TempDir dir;
  make_folder(dir / ".replaced-out-000001", {"index.json", "notes.txt"}, "old");
  make_folder(dir / ".unfinished-out-000001", {"index.json"}, "new");
  sweep_leftovers_of(dir / "out", ours);
  EXPECT_THAT(names_in(dir.path()), ElementsAre("out"));
  EXPECT_EQ(read_file(dir / "out/index.json"), "old");
  // With the new content in place the old one goes, but for what is not ours.
  make_folder(dir / ".replaced-out-000002", {"index.json", "more.txt"}, "older");
  sweep_leftovers_of(dir / "out", ours);
  EXPECT_THAT(names_in(dir / "out"), ElementsAre("index.json", "more.txt", "notes.txt"));
  EXPECT_EQ(read_file(dir / "out/index.json"), "old");
}

TEST(AtomicFolder, WhatIsInUseOrElsewhereIsNotSwept) {
  const TempDir dir;
  make_folder(dir / "elsewhere", {"index.json"}, "theirs");
  fs::create_directory_symlink("elsewhere", dir / ".unfinished-out-00000a");
  make_folder(dir / ".unfinished-out-00000b", {"notes.txt"}, "older");
  commit(dir / "out", {"index.json"}, "1");
  write_file(dir / "out/notes.txt", "mine");
  AtomicFolder live(dir / "out", ours);
  write_file(live.path() + "/index.json", "2");
  commit(dir / "out", {"index.json"}, "3");
  EXPECT_EQ(read_file(dir / "elsewhere/index.json"), "theirs");
  EXPECT_EQ(read_file(live.path() + "/index.json"), "2");
  live.commit();
  EXPECT_EQ(read_file(dir / "out/index.json"), "2");
  EXPECT_EQ(read_file(dir / "out/notes.txt"), "mine");
}

TEST(AtomicFolder, RemovingKeepsTheUsersFiles) {
  const TempDir dir;
  commit(dir / "a", {"index.json", "part-1.bin"}, "1");
  commit(dir / "b", {"index.json"}, "1");
  write_file(dir / "b/notes.txt", "mine");
  remove_folder(dir / "a", ours);
  remove_folder(dir / "b", ours);
  EXPECT_THAT(names_in(dir.path()), ElementsAre("b"));
  EXPECT_THAT(names_in(dir / "b"), ElementsAre("notes.txt"));
  EXPECT_THAT(error_of([&] { remove_folder(dir / "a", ours); }), HasSubstr("a: cannot remove: No such file"));
}

TEST(AtomicFolder, WhatCannotBeReplacedIsRefusedBeforeTheWork) {
  const TempDir dir;
  const auto error = [](const std::string& path) { return error_of([&] { AtomicFolder(path, ours); }); };
  write_file(dir / "file", "");
  EXPECT_EQ(error(""), "no folder for the result is named");
  EXPECT_EQ(error(dir / "file"), dir / "file: is a file, expected a folder");
  EXPECT_THAT(error(dir / "file/out"),
              AllOf(HasSubstr("file/out: cannot make"), HasSubstr("Not a directory")));
  EXPECT_THAT(error("/proc"), StartsWith("/proc: is a mount point, so it cannot be replaced as a whole"));
  EXPECT_THAT(error("/proc/nothing/out"), StartsWith("/proc/nothing/out: cannot make the folder"));
  make_folder(dir / "out/part-1.bin", {}, "");
  EXPECT_EQ(error(dir / "out"), dir / "out/part-1.bin: is a folder, expected a file");
  const fs::path before = fs::current_path();
  make_folder(dir / "here", {"notes.txt"}, "");
  fs::current_path(dir / "here");
  EXPECT_THAT(error("."), HasSubstr("here: is the current folder"));
  EXPECT_THAT(error(dir / "here/"), HasSubstr("here: is the current folder"));
  fs::current_path(before);
  EXPECT_THAT(names_in(dir.path()), ElementsAre("file", "here", "out"));
}

}  // namespace
}  // namespace fathom
