// Memory or threads that the system refuses, at whatever moment: one clear error, no abort, nothing
// half-written.
#include <gtest/gtest.h>

#include <filesystem>

#include "io/file.h"
#include "support/program.h"
#include "support/sanitized.h"

namespace fathom {
namespace {

TEST(Limits, MemoryRefusedAtAnyMomentIsOneClearError) {
  if (testing::sanitized) GTEST_SKIP() << "the sanitizers reserve terabytes: ctest --preset cpu runs it";
  const TempDir dir;
  std::string lines;
  for (int i = 0; i < 2000; ++i)
    lines += fmt::format("{{\"text\": \"{} {} {}\"}}\n", i * 7919, i * i, i % 97);
  write_file(dir / "text.jsonl", lines);
  const std::string command = "prepare '" + (dir / "text.jsonl") +
                              "' --train-tokenizer 300 --threads 2 --out '" + (dir / "out") + "'";
  int refused = 0;
  for (int megabytes = 24;; megabytes += 4) {
    const testing::Outcome run = testing::run_fathom(command, fmt::format("ulimit -v {};", megabytes << 10));
    if (run.exit_code == 0) break;
    ++refused;
    EXPECT_TRUE(run.exit_code == 1 || run.exit_code == 127) << run.exit_code;  // 127: not even loaded
    // The last line of ours, the dynamic linker's or OpenMP's.
    const size_t last = run.err.rfind('\n', run.err.size() - 2) + 1;
    EXPECT_TRUE(run.err.find("fathom: ", last) == last || run.err.find("libgomp: ") != std::string::npos ||
                run.exit_code == 127)
        << run.err;
    EXPECT_FALSE(std::filesystem::exists(dir / "out"));
    ASSERT_LT(megabytes, 4000);
  }
  EXPECT_GT(refused, 2);
}

TEST(Limits, AFileThatMayNotGrowIsOneClearError) {
  if (testing::thread_sanitized)
    GTEST_SKIP() << "the thread sanitizer starts by writing a file: ctest --preset cpu runs it";
  const TempDir dir;
  write_file(dir / "text.txt", std::string(100'000, 'x') + "\n\n" + std::string(100'000, 'y'));
  const std::string command =
      "prepare '" + (dir / "text.txt") + "' --train-tokenizer 258 --out '" + (dir / "out") + "'";
  const testing::Outcome run = testing::run_fathom(command, "ulimit -f 8;");
  EXPECT_EQ(run.exit_code, 1);
  EXPECT_NE(run.err.find("train-00000.safetensors: cannot write: File too large"), std::string::npos)
      << run.err;
  EXPECT_FALSE(std::filesystem::exists(dir / "out"));
}

}  // namespace
}  // namespace fathom
