// The parts that need no sandbox: reading /proc, control groups, the command line.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "io/file.h"
#include "sandbox/control_group.h"
#include "sandbox/isolation.h"
#include "sandbox/probe.h"
#include "sandbox/tree_watch.h"
#include "support/temp_dir.h"

namespace fathom {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

TEST(ProcessStat, HostileNamesDoNotShiftTheFields) {
  const std::string fields =
      " S 1 2 3 4 5 6 7 8 9 10 100 50 30 20 20 0 7 0 12345 99999 25 18446744073709551615 1";
  for (const char* name : {"python3", "a b) R 1 2", ") ) ", ""}) {
    const auto usage = parse_process_stat("42 (" + std::string(name) + ")" + fields);
    ASSERT_TRUE(usage) << name;
    EXPECT_EQ(usage->tasks, 7) << name;
    EXPECT_EQ(usage->memory_bytes, 25 * ::sysconf(_SC_PAGESIZE)) << name;
    EXPECT_DOUBLE_EQ(usage->cpu_seconds, 200.0 / static_cast<double>(::sysconf(_SC_CLK_TCK))) << name;
  }
  for (const char* wrong : {"", "42", "42 (a) S 1 2", "42 (a) S x x x x x x x x x x x x x x x x x x x x x"})
    EXPECT_FALSE(parse_process_stat(wrong)) << wrong;
}

TEST(ProcessStat, ThisProcessIsReadAsItIs) {
  const auto usage = parse_process_stat(read_file("/proc/self/stat"));
  ASSERT_TRUE(usage);
  EXPECT_GE(usage->tasks, 1);
  EXPECT_GT(usage->memory_bytes, 100000);
}

TEST(ProcessMemory, FieldsAreSummedByName) {
  const std::string text = "Name:\tx\nRssAnon:\t     100 kB\nRssFile: 7 kB\nRssShmem:\t 20 kB\n";
  EXPECT_EQ(sum_of_fields(text, {"RssAnon", "RssShmem"}), 120 * 1024);
  EXPECT_EQ(sum_of_fields(text, {"RssAnon", "Pss"}), 100 * 1024);
  EXPECT_EQ(sum_of_fields(text, {"Rss"}), std::nullopt);
  EXPECT_EQ(sum_of_fields("", {"RssAnon"}), std::nullopt);
  EXPECT_EQ(sum_of_fields("RssAnon:", {"RssAnon"}), std::nullopt);
}

TEST(NamedLines, AreReadWithoutTheirBlanks) {
  const auto values = parse_named_lines("Seccomp:\t2\nempty:\nno colon\nuser: user:[1]\n");
  EXPECT_EQ(values.at("Seccomp"), "2");
  EXPECT_EQ(values.at("empty"), "");
  EXPECT_EQ(values.at("user"), "user:[1]");
  EXPECT_EQ(values.size(), 3u);
}

// A folder that looks like a cgroup file system, though it enforces nothing.
class ControlGroupFiles : public ::testing::Test {
 protected:
  void write(const std::string& path, const std::string& text) {
    fs::create_directories(fs::path(root_ / path).parent_path());
    write_file(root_ / path, text);
  }
  void group(const std::string& path, const std::string& controllers, const std::string& below) {
    write("sys/fs/cgroup" + path + "/cgroup.controllers", controllers);
    write("sys/fs/cgroup" + path + "/cgroup.subtree_control", below);
  }
  void SetUp() override {
    write("proc/self/mountinfo", "31 23 0:28 / /sys/fs/cgroup rw,relatime - cgroup2 cgroup2 rw\n");
    write("proc/self/cgroup", "1:name=systemd:/x\n0::/user/app\n");
  }
  std::string found() {
    const std::string path = find_control_group("", why_not_, root_.path());
    return path.empty() ? path : path.substr(root_.path().size());
  }

  TempDir root_;
  std::string why_not_;
};

TEST_F(ControlGroupFiles, TheOwnGroupOrTheOneAboveHoldsThem) {
  group("/user/app", "cpu memory pids\n", "memory pids\n");
  EXPECT_EQ(found(), "/sys/fs/cgroup/user/app");
  group("/user/app", "cpu\n", "");
  group("/user", "memory pids\n", "memory pids\n");
  EXPECT_EQ(found(), "/sys/fs/cgroup/user");
}

TEST_F(ControlGroupFiles, WhatAKilledProcessLeftIsRemoved) {
  group("/user/app", "memory pids\n", "memory pids\n");
  const std::string own = root_ / "sys/fs/cgroup/user/app/fathom-sandbox-";
  const std::string mine = own + std::to_string(::getpid()) + "-1", dead = own + "999999999-1";
  fs::create_directories(mine), fs::create_directories(dead);
  EXPECT_NE(found(), "");
  EXPECT_TRUE(fs::exists(mine));
  EXPECT_FALSE(fs::exists(dead));
}

TEST_F(ControlGroupFiles, ControllersAreAskedForWhereTheyAreAvailable) {
  group("/user/app", "memory pids\n", "memory\n");
  EXPECT_EQ(found(), "/sys/fs/cgroup/user/app");
  EXPECT_THAT(read_file(root_ / "sys/fs/cgroup/user/app/cgroup.subtree_control"), HasSubstr("+pids"));
}

TEST_F(ControlGroupFiles, WithoutThemTheReasonIsTold) {
  group("/user/app", "cpu\n", "");
  group("/user", "cpu memory\n", "memory\n");
  EXPECT_EQ(found(), "");
  EXPECT_THAT(why_not_, HasSubstr("has no memory controller"));
  write("proc/self/mountinfo", "32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n");
  EXPECT_EQ(found(), "");
  EXPECT_EQ(why_not_, "cgroup v2 is not mounted");
  EXPECT_EQ(find_control_group(root_ / "none", why_not_), "");
  EXPECT_THAT(why_not_, HasSubstr("may not be written to"));
}

TEST_F(ControlGroupFiles, AGroupThatCannotBeSetUpIsAnErrorAndGoes) {
  const std::string folder = root_ / "groups";
  fs::create_directories(folder);
  // The kernel would have made its files.
  EXPECT_THAT(error_of([&] { ControlGroup(folder, SandboxLimits()); }),
              HasSubstr("/memory.max: cannot set to 536870912"));
  EXPECT_TRUE(fs::is_empty(folder));
  EXPECT_THAT(error_of([&] { ControlGroup(root_ / "none", SandboxLimits()); }),
              HasSubstr("cannot create: No such file or directory"));
}

TEST(CommandLineOfBubblewrap, HoldsWhatTheProgramIsGiven) {
  SandboxProgram program;
  program.command = {"/bin/true", "--", "; rm"};
  program.environment = {"A=1"};
  program.files = {{"/x", ""}, {"/y", "", true}};
  program.limits.processes = 5;
  Isolation isolation;
  isolation.bubblewrap = "/usr/bin/bwrap";
  const auto words =
      bubblewrap_command(isolation, program, {.info = 16, .gate = 9, .filter = -1, .files = {18, 19}});
  EXPECT_EQ(words.front(), "/usr/bin/bwrap");
  const std::vector<std::string> tail(words.end() - 3, words.end());
  EXPECT_EQ(tail, program.command);
  EXPECT_THAT(words, ::testing::Contains("--nproc=6"));
  EXPECT_THAT(words, ::testing::Contains("A=1"));
  EXPECT_THAT(words, ::testing::Contains("--clearenv"));
  EXPECT_THAT(words, ::testing::Not(::testing::Contains("--seccomp")));
  program.command.clear();
  EXPECT_THAT(error_of([&] {
                bubblewrap_command(isolation, program, {16, 9, -1, {18, 19}});
              }),
              HasSubstr("no command"));
}

}  // namespace
}  // namespace fathom
