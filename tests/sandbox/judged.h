// Short ways to describe a program with its tests, and its verdict.
#pragma once
#include <string>
#include <utility>
#include <vector>

#include "sandbox/code_test.h"
#include "sandbox/sandboxed.h"

namespace fathom::testing {

class Judged : public ::testing::Test {
 protected:
  void SetUp() override { FATHOM_NEEDS_SANDBOX(); }
};

inline CodeTest asserts(const std::string& program, std::vector<std::string> tests) {
  CodeTest test;
  test.style = CodeStyle::asserts;
  test.program = program, test.tests = std::move(tests);
  test.limits = tight_limits();
  return test;
}

inline CodeTest with_check(const std::string& program, const std::string& body,
                           const std::string& entry = "f") {
  CodeTest test;
  test.program = program, test.entry_point = entry;
  test.tests = {"def check(candidate):\n" + body};
  test.limits = tight_limits();
  return test;
}

inline CodeVerdict judged(const CodeTest& test) {
  return run_code_test(shared_sandbox(), test);
}

inline std::string short_form(const CodeVerdict& verdict) {
  return fmt::format("{} {}/{}", to_string(verdict.ending), verdict.tests_passed, verdict.tests_total);
}

}  // namespace fathom::testing
