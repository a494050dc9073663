// Runs sandboxed programs to their end.
#pragma once
#include <vector>

#include "sandbox/isolation.h"
#include "sandbox/program.h"

namespace fathom {

// They start together; when the first of them ends, the others have a moment to end too, and are
// stopped then. Results are in the order of the
// programs. What the system refuses is SandboxEnding::not_started with its reason; an Error is a program that
// is described wrongly.
std::vector<SandboxResult> supervise(const Isolation& isolation, std::vector<SandboxProgram> programs);

}  // namespace fathom
