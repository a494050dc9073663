// The sandbox that these tests share, and short ways to run something in it. A machine on which it cannot
// stand skips the test with the reason.
#pragma once
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <unistd.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "sandbox/abilities.h"
#include "sandbox/sandbox.h"

namespace fathom::testing {

// Empty where the sandbox can enforce everything.
inline const std::string& why_no_sandbox() {
  static const std::string reason = find_sandbox_abilities({}).missing();
  return reason;
}

inline const Sandbox& shared_sandbox() {
  static const Sandbox sandbox;
  return sandbox;
}

// Quick limits: what they stop, they stop soon.
inline SandboxLimits tight_limits() {
  SandboxLimits limits;
  limits.wall_seconds = 5;
  limits.cpu_seconds = 5;
  limits.memory_bytes = int64_t{128} << 20;
  limits.processes = 16;
  limits.disk_bytes = int64_t{16} << 20;
  limits.disk_files = 1000;
  return limits;
}

// No other test process has one of that name.
inline const std::string& program_path() {
  static const std::string path = fmt::format("/fathom/program-{}.py", ::getpid());
  return path;
}

inline SandboxProgram python_program(const std::string& source,
                                     const SandboxLimits& limits = tight_limits()) {
  SandboxProgram program;
  program.command = {"/usr/bin/python3", "-I", program_path()};
  program.files = {{program_path(), source}};
  program.limits = limits;
  return program;
}

inline SandboxResult run_command(std::vector<std::string> command,
                                 std::vector<std::string> environment = {}) {
  SandboxProgram program;
  program.command = std::move(command);
  program.environment = std::move(environment);
  return shared_sandbox().run(std::move(program));
}

inline SandboxResult run_python(const std::string& source, const SandboxLimits& limits = tight_limits()) {
  return shared_sandbox().run(python_program(source, limits));
}

// The output of a program that is to end by itself with exit code 0.
inline std::string output_of(const std::string& source, const SandboxLimits& limits = tight_limits()) {
  const SandboxResult result = run_python(source, limits);
  EXPECT_EQ(result.ending, SandboxEnding::exited) << result.reason;
  EXPECT_EQ(result.exit_code, 0) << result.err.text;
  return result.out.text;
}

}  // namespace fathom::testing

#define FATHOM_NEEDS_SANDBOX() \
  if (!::fathom::testing::why_no_sandbox().empty()) GTEST_SKIP() << ::fathom::testing::why_no_sandbox()
