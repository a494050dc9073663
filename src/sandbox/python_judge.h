// The styles check and asserts: the program in one sandbox, a judge with the tests in another, two pipes
// between them, and the judge's report on a descriptor that only it has.
#pragma once
#include "sandbox/code_test.h"

namespace fathom {

CodeVerdict judge_python(const Sandbox& sandbox, const CodeTest& test);

// What a limit that stopped a program means for its verdict.
CodeEnding code_ending(SandboxEnding ending);

}  // namespace fathom
