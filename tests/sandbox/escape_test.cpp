// Programs that try to harm their parent, to outlive their sandbox or to confuse it with what they were
// given.
#include <signal.h>

#include <string>
#include <vector>

#include "sandbox/hostile.h"

namespace fathom::testing {
namespace {

class Escape : public Hostile {};

TEST_F(Escape, SignalsReachNobodyOutside) {
  EXPECT_EQ(output_of(R"(
import os, signal
print(os.getppid())
for target in (os.getppid(), 1, 0, -1):
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGKILL, signal.SIGSTOP):
        if target in (0, -1): signal.signal(number, signal.SIG_IGN) if number not in (9, 19) else None
        if target in (0, -1) and number in (9, 19): continue
        try: os.kill(target, number)
        except OSError: pass
os.kill(PARENT, 0) if False else print('alive')
)"),
            "1\nalive\n");
  // By number: the pids of this machine mean nothing there.
  const std::string own = std::to_string(::getpid());
  EXPECT_EQ(output_of("import os\nfor p in range(3, 70000):\n  try: os.kill(p, 9)\n  except "
                      "ProcessLookupError: pass\n  else: print(p)\n"
                      "try: os.kill(" +
                      own + ", 9)\nexcept ProcessLookupError: print('none')"),
            "none\n");
  const SandboxResult group = run_python("import os; os.kill(0, 9)");
  EXPECT_EQ(group.ending, SandboxEnding::exited);
  EXPECT_EQ(group.exit_code, 128 + SIGKILL);
}

TEST_F(Escape, AStoppedProgramIsStoppedForGood) {
  SandboxLimits limits = tight_limits();
  limits.wall_seconds = 0.5;
  EXPECT_EQ(run_python("import os; os.kill(os.getpid(), 19)", limits).ending, SandboxEnding::wall_time);
}

TEST_F(Escape, DaemonsEndWithTheirSandbox) {
  const std::string daemon = R"(
import os, signal, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        for number in range(1, 32):
            try: signal.signal(number, signal.SIG_IGN)
            except OSError: pass
        os.write(1, b'up\n')
        time.sleep(60)
    os._exit(0)
os.wait()
time.sleep(0.2)
)";
  SandboxResult result;
  EXPECT_LT(seconds_of([&] { result = run_python(daemon); }), 4);
  EXPECT_EQ(result.ending, SandboxEnding::exited);
  EXPECT_EQ(result.out.text, "up\n");
}

TEST_F(Escape, ClosedAndCopiedDescriptorsDoNoHarm) {
  EXPECT_EQ(
      run_python("import os\nfor i in range(64):\n  try: os.close(i)\n  except OSError: pass\nos._exit(3)")
          .exit_code,
      3);
  EXPECT_EQ(output_of("import os\nfor i in range(40): os.dup2(1, 10 + i)\nos.write(30, b'x')\nos.close(1)"),
            "x");
  EXPECT_EQ(output_of("import os, fcntl\nfor i in range(3):\n  fcntl.fcntl(i, fcntl.F_SETFL, "
                      "os.O_NONBLOCK)\nos.write(1, b'x')"),
            "x");
}

TEST_F(Escape, AHugeInputIsGivenWhetherReadOrNot) {
  SandboxProgram program = python_program(
      "import sys; print(sum(len(p) for p in iter(lambda: sys.stdin.buffer.read(1 << 20), b'')))");
  program.input = std::string(64 << 20, 'x');
  EXPECT_EQ(shared_sandbox().run(std::move(program)).out.text, "67108864\n");
  program = python_program("print('unread')");
  program.input = std::string(64 << 20, 'x');
  EXPECT_EQ(shared_sandbox().run(std::move(program)).out.text, "unread\n");
  program = python_program(
      "import os\ntry: os.write(os.open('/proc/self/fd/0', os.O_RDWR), b'y')\nexcept OSError: "
      "print('refused')");
  program.input = "x";
  EXPECT_EQ(shared_sandbox().run(std::move(program)).out.text, "refused\n");
}

TEST_F(Escape, ProgramsTogetherEndWithTheFirst) {
  std::vector<SandboxProgram> programs;
  programs.push_back(python_program("import time; time.sleep(0.3)"));
  programs.push_back(python_program("import time; time.sleep(100)"));
  const std::vector<SandboxResult> results = shared_sandbox().run_together(std::move(programs));
  EXPECT_EQ(results[0].ending, SandboxEnding::exited);
  EXPECT_EQ(results[1].ending, SandboxEnding::stopped);
}

// `seen`: what has to be there before the parent is killed.
void kill_parent_once(const std::string& seen, const std::string& sleeping) {
  const pid_t child = ::fork();
  if (child == 0) {
    SandboxLimits limits = tight_limits();
    limits.wall_seconds = 60;
    run_python("import os\nos.system('sleep " + sleeping + "')", limits);
    ::_exit(0);
  }
  for (int i = 0; i < 5000 && processes_with(seen) == 0; ++i) ::usleep(1000);
  EXPECT_GE(processes_with(seen), 1);
  ::kill(child, SIGKILL);
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  for (int i = 0; i < 500 && processes_with(program_path()) > 0; ++i) ::usleep(10000);
  EXPECT_EQ(processes_with(program_path()), 0) << seen;
}

TEST_F(Escape, KillingTheParentTakesTheSandboxAlong) {
  const std::string sleeping = fmt::format("49.{}", ::getpid());
  const std::string running = std::string("sleep") + '\0' + sleeping;
  for (const std::string& seen : {program_path(), running}) kill_parent_once(seen, sleeping);
}

TEST_F(Escape, AStoppedParentWatchesAgainWhenItGoesOn) {
  const pid_t child = ::fork();
  if (child == 0) {
    SandboxLimits limits = tight_limits();
    limits.wall_seconds = 1;
    const bool stopped = run_python("import time\ntime.sleep(50)", limits).ending == SandboxEnding::wall_time;
    ::_exit(stopped ? 0 : 1);
  }
  for (const int signal : {SIGSTOP, SIGCONT}) {
    ::usleep(300000);
    ::kill(child, signal);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace fathom::testing
