// The style stdio: the program runs once for each case, and its output is compared out here.
#pragma once
#include <string>
#include <string_view>

#include "sandbox/code_test.h"

namespace fathom {

// The test's program alone, with this input. A C++ program that does not compile has ending `exited` and the
// compiler's exit code and messages.
SandboxResult run_program(const Sandbox& sandbox, const CodeTest& test, const std::string& input);

CodeVerdict judge_stdio(const Sandbox& sandbox, const CodeTest& test);

// Equal but for blanks at the ends of lines and empty lines at the end.
bool same_output(std::string_view got, std::string_view expected);

}  // namespace fathom
