// fathom sandbox as a person uses it: the table, one program, its tests, Ctrl-C.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "io/file.h"
#include "sandbox/abilities.h"
#include "sandbox/hostile.h"
#include "support/program.h"
#include "support/temp_dir.h"

namespace fathom::testing {
namespace {

using ::testing::HasSubstr;

class SandboxCommand : public ::testing::Test {
 protected:
  void SetUp() override {
    write_file(dir_ / "p.py",
               "import sys\ndef add(a, b): return a + b\nif __name__ == '__main__':\n    print('in', "
               "len(sys.stdin.read()))\n");
    write_file(dir_ / "right.py", "def check(candidate):\n    assert candidate(1, 2) == 3\n");
    write_file(dir_ / "wrong.py", "assert add(1, 2) == 3\nassert add(1, 2) == 4\n");
  }
  void need_sandbox() {
    if (const std::string missing = find_sandbox_abilities({}).missing(); !missing.empty())
      GTEST_SKIP() << missing;
  }
  Outcome run(const std::string& arguments) { return run_fathom("sandbox " + arguments); }

  TempDir dir_;
};

TEST_F(SandboxCommand, TellsWhatIsEnforced) {
  const Outcome outcome = run("");
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  for (const char* row : {"namespaces", "network", "memory", "processes", "output"})
    EXPECT_THAT(outcome.out, HasSubstr(row));
  const Outcome without = run("--bwrap /no/such/bwrap");
  EXPECT_EQ(without.exit_code, 0);
  EXPECT_THAT(without.out, HasSubstr("NOT ENFORCED"));
  EXPECT_THAT(without.out, HasSubstr("Nothing can be run here"));
}

TEST_F(SandboxCommand, NeverRunsWithoutTheSandbox) {
  const std::string arguments = "--bwrap /no/such/bwrap --run " + (dir_ / "p.py");
  EXPECT_TRUE(is_one_clear_error(run(arguments), "there is no sandbox on this machine"));
  EXPECT_TRUE(is_one_clear_error(run(arguments + " --allow-weak"), "there is no sandbox on this machine"));
}

TEST_F(SandboxCommand, RunsAProgram) {
  need_sandbox();
  write_file(dir_ / "in", "12345");
  const Outcome outcome = run("--run " + (dir_ / "p.py") + " --input " + (dir_ / "in"));
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(outcome.out, "in 5\n");
  EXPECT_THAT(outcome.err, HasSubstr("exit code 0; "));
  write_file(dir_ / "loop.py", "while True: pass");
  const Outcome loop = run("--wall 1 --run " + (dir_ / "loop.py"));
  EXPECT_EQ(loop.exit_code, 1);
  EXPECT_THAT(loop.err, HasSubstr("loop.py: ran longer than 1 s\n"));
}

TEST_F(SandboxCommand, RunsTests) {
  need_sandbox();
  const Outcome right = run("--run " + (dir_ / "p.py") + " --entry-point add --tests " + (dir_ / "right.py"));
  EXPECT_EQ(right.exit_code, 0) << right.err;
  EXPECT_THAT(right.out, HasSubstr("p.py: passed, 1 of 1 tests passed\n"));
  const Outcome wrong = run("--run " + (dir_ / "p.py") + " --tests " + (dir_ / "wrong.py"));
  EXPECT_EQ(wrong.exit_code, 1);
  EXPECT_THAT(wrong.out,
              HasSubstr("p.py: wrong, 1 of 2 tests passed; assert add(1, 2) == 4: AssertionError\n"));
  EXPECT_THAT(wrong.err, HasSubstr("p.py: did not pass\n"));
  write_file(dir_ / "out", "in 0\n");
  EXPECT_EQ(run("--run " + (dir_ / "p.py") + " --expect " + (dir_ / "out")).exit_code, 0);
}

TEST_F(SandboxCommand, TakesTheCodeOfAnAnswer) {
  need_sandbox();
  write_file(dir_ / "answer.md", "Here:\n```python\ndef add(a, b): return a + b\n```\nand done.\n");
  EXPECT_EQ(
      run("--answer --run " + (dir_ / "answer.md") + " --entry-point add --tests " + (dir_ / "right.py"))
          .exit_code,
      0);
  EXPECT_TRUE(is_one_clear_error(run("--answer --run " + (dir_ / "p.py")), "p.py: holds no block of code"));
}

TEST_F(SandboxCommand, WrongFlagsAreErrors) {
  EXPECT_TRUE(
      is_one_clear_error(run("--run x.py --memory 1"), "--memory must be between 16 and 1048576, got 1"));
  EXPECT_TRUE(is_one_clear_error(run("--tests x.py"), "--tests needs --run"));
  need_sandbox();
  EXPECT_TRUE(is_one_clear_error(run("--run /no/such.py"), "/no/such.py: cannot open"));
}

TEST_F(SandboxCommand, CtrlCEndsTheProgramToo) {
  need_sandbox();
  const std::string sleeping = "48." + std::to_string(::getpid());
  write_file(dir_ / "sleep.py", "import os\nos.system('sleep " + sleeping + "')");
  const Outcome outcome =
      run_fathom("sandbox --wall 60 --run " + (dir_ / "sleep.py"), "timeout --foreground --preserve-status -s INT 2");
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_THAT(outcome.err, HasSubstr("sleep.py: interrupted\n"));
  EXPECT_EQ(processes_with(std::string("sleep") + '\0' + sleeping), 0);
}

}  // namespace
}  // namespace fathom::testing
