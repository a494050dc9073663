// The sandbox for programs that nobody has read: generated code, mostly. What it holds back and how is in
// docs/sandbox.md. A program runs only where everything can be enforced, unless the caller allows less.
#pragma once
#include <vector>

#include "sandbox/abilities.h"
#include "sandbox/program.h"

namespace fathom {

class Sandbox {
 public:
  // Finds out what this machine can enforce (some tens of milliseconds). Error that lists what it cannot,
  // unless options.allow_weak; without namespaces an Error in any case.
  explicit Sandbox(SandboxOptions options = {});

  const SandboxAbilities& abilities() const { return abilities_; }
  const SandboxOptions& options() const { return options_; }

  // Both may be called from several threads at a time; each call waits for the end of its programs.
  SandboxResult run(SandboxProgram program) const;
  // They start together; when the first ends, the others are stopped.
  std::vector<SandboxResult> run_together(std::vector<SandboxProgram> programs) const;

 private:
  SandboxOptions options_;
  SandboxAbilities abilities_;
};

}  // namespace fathom
