// What the judge of a test run writes on its own descriptor, one JSON object a line. It is read as strictly
// as any bytes from outside: only a report that is whole and consistent counts as a pass.
#pragma once
#include <string>
#include <string_view>

namespace fathom {

struct JudgeReport {
  int total = 0, passed = 0;
  bool done = false;           // the judge got past the last test
  std::string failure;         // of the first test that failed, or why the tests ended early
  std::string broken;          // what is wrong with the tests themselves
  bool program_error = false;  // the program did not get as far as the tests
  bool lost = false;           // the program ended, or sent nonsense, while it was needed

  bool all_passed() const {
    return done && total > 0 && passed == total && failure.empty() && broken.empty();
  }
};

// Lines that are not whole or make no sense end the report where they stand.
JudgeReport parse_judge_report(std::string_view text);

}  // namespace fathom
