#include "sandbox/sandbox.h"

#include "base/error.h"
#include "sandbox/supervise.h"

namespace fathom {

std::string_view to_string(SandboxEnding ending) {
  switch (ending) {
    case SandboxEnding::exited:
      return "ended by itself";
    case SandboxEnding::wall_time:
      return "wall time";
    case SandboxEnding::cpu_time:
      return "processor time";
    case SandboxEnding::memory:
      return "memory";
    case SandboxEnding::processes:
      return "processes";
    case SandboxEnding::disk:
      return "disk";
    case SandboxEnding::output:
      return "output";
    case SandboxEnding::stopped:
      return "stopped";
    case SandboxEnding::interrupted:
      return "interrupted";
    case SandboxEnding::not_started:
      return "not started";
  }
  return "";
}

Sandbox::Sandbox(SandboxOptions options)
    : options_(std::move(options)), abilities_(find_sandbox_abilities(options_)) {
  const std::string missing = abilities_.missing();
  check(abilities_.can_run, "there is no sandbox on this machine: {}", missing);
  check(missing.empty() || options_.allow_weak,
        "the sandbox cannot enforce everything on this machine, and weaker isolation was not allowed: {}",
        missing);
}

SandboxResult Sandbox::run(SandboxProgram program) const {
  std::vector<SandboxProgram> programs;
  programs.push_back(std::move(program));
  return std::move(run_together(std::move(programs))[0]);
}

std::vector<SandboxResult> Sandbox::run_together(std::vector<SandboxProgram> programs) const {
  return supervise(abilities_.isolation, std::move(programs));
}

}  // namespace fathom
