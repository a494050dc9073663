#include "sandbox/code_test.h"

#include <atomic>
#include <thread>

#include "base/error.h"
#include "base/interrupt.h"
#include "base/threads.h"
#include "sandbox/python_judge.h"
#include "sandbox/stdio_judge.h"

namespace fathom {
namespace {

void check_code_test(const CodeTest& test) {
  check_limits(test.limits);
  if (test.style == CodeStyle::stdio)
    return check(!test.cases.empty(), "code test '{}' has no cases", test.id);
  check(test.language == CodeLanguage::python, "code test '{}': C++ is tested by input and output only",
        test.id);
  check(!test.tests.empty(), "code test '{}' has no tests", test.id);
  check(test.style != CodeStyle::check || (test.tests.size() == 1 && !test.entry_point.empty()),
        "code test '{}': the style check takes one text of tests and an entry point", test.id);
}

}  // namespace

std::string_view to_string(CodeEnding ending) {
  switch (ending) {
    case CodeEnding::passed:
      return "passed";
    case CodeEnding::wrong:
      return "wrong";
    case CodeEnding::error:
      return "error";
    case CodeEnding::crashed:
      return "crashed";
    case CodeEnding::time:
      return "time limit";
    case CodeEnding::memory:
      return "memory limit";
    case CodeEnding::output:
      return "output limit";
    case CodeEnding::resources:
      return "limit on processes or files";
    case CodeEnding::unscored:
      return "unscored";
  }
  return "";
}

CodeVerdict run_code_test(const Sandbox& sandbox, const CodeTest& test) {
  check_code_test(test);
  CodeVerdict verdict =
      test.style == CodeStyle::stdio ? judge_stdio(sandbox, test) : judge_python(sandbox, test);
  verdict.id = test.id;
  return verdict;
}

std::vector<CodeVerdict> run_code_tests(const Sandbox& sandbox, const std::vector<CodeTest>& tests,
                                        int workers) {
  check(workers >= 1, "code tests need at least one worker, got {}", workers);
  for (const CodeTest& test : tests) check_code_test(test);
  std::vector<CodeVerdict> verdicts(tests.size());
  std::atomic<size_t> next = 0;
  FirstException first;
  const auto work = [&] {
    for (size_t i; (i = next++) < tests.size();) {
      if (interrupted())
        verdicts[i].id = tests[i].id, verdicts[i].text = "interrupted";
      else
        first.guard([&] { verdicts[i] = run_code_test(sandbox, tests[i]); });
    }
  };
  {
    // Not OpenMP's threads: those that are done would keep a processor busy that the programs need.
    std::vector<std::jthread> threads;
    for (size_t i = 0; i < std::min(static_cast<size_t>(workers), tests.size()); ++i)
      threads.emplace_back(work);
  }
  first.rethrow();
  return verdicts;
}

}  // namespace fathom
