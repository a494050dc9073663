// For programs that mean harm: nothing may be left of them when a test ends.
#pragma once
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <filesystem>
#include <functional>
#include <string>

#include "io/file.h"
#include "sandbox/sandboxed.h"

namespace fathom::testing {

// Processes of the machine whose command line holds the text.
inline int processes_with(const std::string& text) {
  int count = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const std::string name = entry.path().filename().string();
    if (name.find_first_not_of("0123456789") != std::string::npos || name == std::to_string(::getpid()))
      continue;
    std::error_code ignored;
    if (!std::filesystem::exists(entry.path() / "cmdline", ignored)) continue;
    try {
      if (read_file((entry.path() / "cmdline").string()).find(text) != std::string::npos) ++count;
    } catch (const Error&) {  // it has ended
    }
  }
  return count;
}

class Hostile : public ::testing::Test {
 protected:
  void SetUp() override {
    FATHOM_NEEDS_SANDBOX();
    program_path();  // before any fork
  }
  // Nothing is left of any of them, no zombie either.
  void TearDown() override {
    EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1);
    EXPECT_EQ(errno, ECHILD);
    EXPECT_EQ(processes_with(program_path()), 0);
  }
};

inline double seconds_of(const std::function<void()>& action) {
  const auto start = std::chrono::steady_clock::now();
  action();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace fathom::testing
