// Programs that try to take more than they may. Each is stopped, and what it had is gone.
#include <gmock/gmock.h>

#include <string>
#include <vector>

#include "sandbox/hostile.h"

namespace fathom::testing {
namespace {

using ::testing::HasSubstr;

TEST_F(Hostile, AForkBombRunsIntoTheLimit) {
  SandboxLimits limits = tight_limits();
  limits.wall_seconds = 2;
  const SandboxResult result = run_python(R"(
import os
made = 0
while True:
    try:
        if os.fork() == 0: made = 0
        else: made += 1
    except OSError:
        os.write(1, b'%d\n' % made)
        while True: pass
)",
                                          limits);
  EXPECT_THAT((std::vector{SandboxEnding::wall_time, SandboxEnding::cpu_time}),
              ::testing::Contains(result.ending));
  EXPECT_NE(result.out.text, "");
}

TEST_F(Hostile, TheNumberOfProcessesIsTheLimit) {
  EXPECT_EQ(output_of(R"(
import os, time
made = 1
try:
    while made < 100:
        if os.fork() == 0: time.sleep(60)
        made += 1
except OSError:
    pass
print(made)
os.kill(-1, 9))"),
            "16\n");
}

TEST_F(Hostile, ThreadsCountAsProcesses) {
  SandboxLimits limits = tight_limits();
  limits.processes = 8;
  EXPECT_EQ(output_of(R"(
import threading, time
made = 1
try:
    while made < 100:
        threading.Thread(target=time.sleep, args=(1,), daemon=True).start()
        made += 1
except RuntimeError:
    pass
print(made))",
                      limits),
            "8\n");
}

TEST_F(Hostile, AMemoryBombIsStopped) {
  const SandboxResult result = run_python("data = []\nwhile True: data.append(bytearray(b'x') * (1 << 20))");
  EXPECT_EQ(result.ending, SandboxEnding::memory) << result.err.text;
  EXPECT_LT(result.peak_memory, int64_t{512} << 20);
}

TEST_F(Hostile, MemorySpreadOverProcessesIsSummed) {
  const SandboxResult result = run_python(R"(
import os, time
for i in range(10):
    if os.fork() == 0:
        data = bytearray(b'x') * (20 << 20)  # each far below the limit
        time.sleep(60)
time.sleep(60))");
  EXPECT_EQ(result.ending, SandboxEnding::memory);
}

TEST_F(Hostile, SharedPagesCountOnce) {
  EXPECT_EQ(output_of(R"(
import os, time
data = bytearray(b'x') * (60 << 20)
children = []
for i in range(8):
    pid = os.fork()
    if pid == 0:
        time.sleep(0.3)
        os._exit(0)
    children.append(pid)
for pid in children: os.waitpid(pid, 0)
print('fine'))"),
            "fine\n");
}

TEST_F(Hostile, OneProcessCannotReserveMuchMore) {
  EXPECT_EQ(output_of("import mmap\ntry: mmap.mmap(-1, 1 << 31)\nexcept OSError: print('refused')"),
            "refused\n");
}

TEST_F(Hostile, SharedMemoryCountsToo) {
  const SandboxResult result = run_python(R"(
import mmap, time
m = mmap.mmap(-1, 200 << 20)
for i in range(0, len(m), 4096): m[i] = 1
time.sleep(60))");
  EXPECT_EQ(result.ending, SandboxEnding::memory);
}

TEST_F(Hostile, EndlessOutputIsCutAndThenStopped) {
  SandboxLimits limits = tight_limits();
  limits.output_bytes = 1000;
  limits.flood_bytes = 8 << 20;
  for (const std::string stream : {"1", "2"}) {
    const SandboxResult result =
        run_python("import os\nwhile True: os.write(" + stream + ", b'x' * 65536)", limits);
    EXPECT_EQ(result.ending, SandboxEnding::output);
    const CapturedOutput& output = stream == "1" ? result.out : result.err;
    EXPECT_EQ(output.text, std::string(1000, 'x'));
    EXPECT_GT(output.dropped, 8 << 20);
  }
}

TEST_F(Hostile, LongOutputIsCutAndCounted) {
  SandboxLimits limits = tight_limits();
  limits.output_bytes = 10;
  const SandboxResult result = run_python("print('x' * 99999)", limits);
  EXPECT_EQ(result.ending, SandboxEnding::exited);
  EXPECT_EQ(result.out.text, "xxxxxxxxxx");
  EXPECT_EQ(result.out.dropped, 100000 - 10);
}

TEST_F(Hostile, SleepingRunsOutOfWallTime) {
  SandboxLimits limits = tight_limits();
  limits.wall_seconds = 0.5;
  SandboxResult result;
  const double seconds = seconds_of([&] { result = run_python("import time; time.sleep(100)", limits); });
  EXPECT_EQ(result.ending, SandboxEnding::wall_time);
  EXPECT_THAT(result.reason, HasSubstr("0.5 s"));
  EXPECT_LT(seconds, 3);
  EXPECT_GE(result.wall_seconds, 0.5);
}

TEST_F(Hostile, AnEndlessLoopRunsOutOfProcessorTime) {
  SandboxLimits limits = tight_limits();
  limits.cpu_seconds = 0.5;
  limits.wall_seconds = 20;
  EXPECT_EQ(run_python("while True: pass", limits).ending, SandboxEnding::cpu_time);
  // Spread over children, which ignore SIGXCPU.
  EXPECT_EQ(
      run_python("import os, signal\nsignal.signal(signal.SIGXCPU, signal.SIG_IGN)\nos.fork()\nos.fork()\n"
                 "while True: pass",
                 limits)
          .ending,
      SandboxEnding::cpu_time);
  // And over short-lived children, one after another.
  EXPECT_EQ(
      run_python(
          "import os\nwhile True:\n    if os.fork() == 0:\n        sum(range(200000))\n        os._exit(0)\n"
          "    os.wait()",
          limits)
          .ending,
      SandboxEnding::cpu_time);
}

TEST_F(Hostile, ADiskIsFullAtItsLimit) {
  EXPECT_EQ(output_of(R"(
import errno
size = 0
try:
    for i in range(1000):
        with open('/tmp/f%d' % i, 'wb') as file:
            for j in range(1000):
                size += file.write(b'x' * (1 << 20)); file.flush()
except OSError as error:
    print(error.errno in (errno.ENOSPC, errno.EFBIG), size <= 16 << 20))"),
            "True True\n");
  EXPECT_EQ(output_of(R"(
try:
    with open('/dev/shm/f', 'wb', buffering=0) as file:
        for j in range(20): file.write(b'x' * (1 << 20))
except OSError: print(__import__('os').path.getsize('/dev/shm/f') <= 4 << 20))"),
            "True\n");
}

TEST_F(Hostile, AFileIsNoLargerThanItsLimit) {
  SandboxLimits limits = tight_limits();
  limits.file_bytes = 1 << 20;
  EXPECT_EQ(output_of("import os\nf = open('x', 'wb', buffering=0)\ntry:\n  for i in range(9): f.write(b'x' "
                      "* (1 << 18))\n"
                      "except OSError: print(os.path.getsize('x'))",
                      limits),
            "1048576\n");
}

TEST_F(Hostile, ManyFilesAreStopped) {
  const SandboxResult files = run_python("i = 0\nwhile True:\n  open('/tmp/%d' % i, 'w').close(); i += 1");
  EXPECT_EQ(files.ending, SandboxEnding::disk);
  const SandboxResult folders = run_python("import os\nwhile True:\n  os.mkdir('d'); os.chdir('d')");
  EXPECT_EQ(folders.ending, SandboxEnding::disk);
}

TEST_F(Hostile, OpenFilesAreLimited) {
  EXPECT_EQ(output_of("import os\nn = 0\ntry:\n  while True: os.dup(0); n += 1\nexcept OSError: print(n)"),
            "61\n");
}

}  // namespace
}  // namespace fathom::testing
