// What of the sandbox this machine can enforce, found out by trying, and in words.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "sandbox/isolation.h"

namespace fathom {

enum class Enforced {
  by_kernel,    // cannot be passed
  by_watching,  // passed for some milliseconds at most, then the program is stopped
  not_at_all,
};
std::string_view to_string(Enforced enforced);

struct SandboxAbility {
  std::string name;
  Enforced enforced;
  std::string how;  // or why not
};

struct SandboxAbilities {
  std::vector<SandboxAbility> rows;
  bool can_run = false;  // the namespaces exist; without them nothing runs, whatever is allowed
  Isolation isolation;

  // "memory (reason), ..." of the rows that are not enforced; empty if all are.
  std::string missing() const;
};

struct SandboxOptions {
  bool allow_weak = false;             // run although something is not enforced
  std::string bubblewrap;              // path of bwrap; empty: from PATH
  std::string control_group;           // cgroup v2 folder to make groups in; empty: one is looked for
  std::vector<std::string> read_only;  // further paths of the machine that programs can read
  std::string python = "/usr/bin/python3";
  std::string cxx = "/usr/bin/g++";
};

SandboxAbilities find_sandbox_abilities(const SandboxOptions& options);

}  // namespace fathom
