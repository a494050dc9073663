// Loading a model takes hardly more memory than the model itself: at no moment is there a second copy of it.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/wait.h>

#include <cstdlib>
#include <cstring>
#include <string>

#include "io/file.h"
#include "model/model_folder.h"
#include "support/sanitized.h"
#include "support/small_model.h"
#include "support/temp_dir.h"

extern char** environ;

namespace fathom::testing {
namespace {

// This process's peak of resident memory, in bytes.
int64_t peak_memory() {
  const std::string status = read_file("/proc/self/status");
  const size_t at = status.find("VmHWM:");
  return at == std::string::npos ? 0 : std::atoll(status.c_str() + at + 6) * 1024;
}

// 32 million parameters, of which each expert, each matrix and the embedding are parts of different sizes.
Config large_config() {
  Config c = v2_like();
  c.hidden_size = 512, c.vocab_size = 8192, c.n_routed_experts = 16, c.moe_intermediate_size = 480;
  return c;
}

// The process that is measured: this program again, running only this. Its threads are few, for each has a
// stack and buffers.
TEST(LoadMemoryChild, DISABLED_Loads) {
  const char *dir = std::getenv("FATHOM_TEST_MODEL"), *dtype = std::getenv("FATHOM_TEST_DTYPE");
  ASSERT_TRUE(dir && dtype);
  const int64_t before = peak_memory();
  ASSERT_GT(before, 0);
  const Model model = load_model(Device::cpu(2), dir, dtype_named(dtype));
  const auto size = static_cast<double>(checkpoint_bytes(model.config, model.dtype));
  constexpr double constant = 4 << 20;  // buffers, stacks, the header, pages rounded up
  EXPECT_LE(static_cast<double>(peak_memory() - before), 1.1 * size + constant) << "of " << size;
}

int exit_of_child(const std::string& dir, const std::string& dtype) {
  ::setenv("FATHOM_TEST_MODEL", dir.c_str(), 1);
  ::setenv("FATHOM_TEST_DTYPE", dtype.c_str(), 1);
  ::setenv("OMP_NUM_THREADS", "2", 0);
  std::string name = "model_test", filter = "--gtest_filter=LoadMemoryChild.*",
              also = "--gtest_also_run_disabled_tests";
  char* arguments[] = {name.data(), filter.data(), also.data(), nullptr};
  pid_t child = -1;
  EXPECT_EQ(posix_spawn(&child, "/proc/self/exe", nullptr, nullptr, arguments, environ), 0);
  int status = 0;
  ::waitpid(child, &status, 0);
  return status;
}

// The same file with a header that is one byte longer: every tensor lies unaligned.
void unalign(const std::string& path) {
  const std::string file = read_file(path);
  uint64_t header = 0;
  std::memcpy(&header, file.data(), 8);
  std::string text = file.substr(0, 8 + header) + " " + file.substr(8 + header);
  ++header;
  std::memcpy(text.data(), &header, 8);
  write_file(path, text);
}

TEST(LoadMemory, IsThatOfTheModel) {
  if (sanitized) GTEST_SKIP() << "sanitizers take memory of their own: ctest --preset cpu runs it";
  const TempDir dir;
  for (const DType stored : {DType::bf16, DType::f32}) {
    save_model(Device::cpu(1), dir.path(), make_model(Device::cpu(1), large_config(), stored));
    for (const char* runs_in : {"bf16", "f32"})
      EXPECT_EQ(exit_of_child(dir.path(), runs_in), 0) << name_of(stored) << " in " << runs_in;
    unalign(dir / "model.safetensors");
    EXPECT_EQ(exit_of_child(dir.path(), std::string(name_of(stored))), 0) << "unaligned " << name_of(stored);
  }
}

}  // namespace
}  // namespace fathom::testing
