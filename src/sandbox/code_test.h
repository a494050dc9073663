// A program and the tests it is to pass: what the unit-test reward and the code benchmarks ask. The verdict
// comes from a judge that the program cannot reach (docs/sandbox.md).
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "sandbox/limits.h"
#include "sandbox/sandbox.h"

namespace fathom {

enum class CodeLanguage { python, cpp };

enum class CodeStyle {
  check,    // Python: tests[0] defines check(candidate), as in HumanEval; candidate is entry_point
  asserts,  // Python: each of `tests` is statements with asserts, as in MBPP, or functions test_...()
  stdio,    // any language: `cases`, the program's output for an input
};

struct CodeCase {
  std::string input, output;  // blanks at the ends of lines and empty lines at the end do not count
};

struct CodeTest {
  std::string id;  // comes back in the verdict
  CodeLanguage language = CodeLanguage::python;
  CodeStyle style = CodeStyle::check;
  std::string program;      // all of it: with HumanEval, prompt and completion
  std::string entry_point;  // what is tested; asserts may leave it empty
  std::string given;        // code the tests may build on, which is trusted: imports, the prompt's helpers
  std::vector<std::string> tests;
  std::vector<CodeCase> cases;
  bool objects =
      false;  // tests may call methods of the program's own objects: such tests trust their answers
  SandboxLimits limits;  // of the program, for each case of stdio anew
};

enum class CodeEnding {
  passed,
  wrong,    // a test failed
  error,    // the program does not compile or load, or lacks the entry point
  crashed,  // it ended by itself before the tests did, or sent nonsense
  time,     // it was stopped at a limit: of time, and of the next three
  memory,
  output,
  resources,  // processes, files
  unscored,   // the sandbox or the tests failed, not the program: no verdict on it
};
std::string_view to_string(CodeEnding ending);

struct CodeVerdict {
  std::string id;
  CodeEnding ending = CodeEnding::unscored;
  int tests_passed = 0, tests_total = 0;
  std::string text;      // one line: what failed first
  std::string out, err;  // what the program printed, cut at limits.output_bytes
  double wall_seconds = 0, cpu_seconds = 0;
  int64_t peak_memory = 0;

  bool passed() const { return ending == CodeEnding::passed; }
  bool scored() const { return ending != CodeEnding::unscored; }
};

// Error only if the test is described wrongly (no tests, a style the language lacks); whatever the program
// does is a verdict.
CodeVerdict run_code_test(const Sandbox& sandbox, const CodeTest& test);

// Up to `workers` at a time; verdicts in the order of the tests. A test's time begins when its program
// starts, not while it waits for a worker. After Ctrl-C (base/interrupt.h) the rest is unscored.
std::vector<CodeVerdict> run_code_tests(const Sandbox& sandbox, const std::vector<CodeTest>& tests,
                                        int workers);

}  // namespace fathom
