// Runs a small program in the sandbox that looks around, and reads what it saw.
#pragma once
#include <map>
#include <string>

#include "sandbox/isolation.h"

namespace fathom {

struct SandboxProbe {
  bool ran = false;
  std::string why_not;
  bool own_namespaces = false;  // user, pid, mnt, net, ipc and uts all differ from ours
  bool no_privileges = false;   // no capabilities, and none to be gained
  bool filtered = false;        // seccomp
  bool processes_limited = false;
};
SandboxProbe probe_sandbox(const Isolation& isolation);

// "Name: value" lines, blanks around the value removed.
std::map<std::string, std::string> parse_named_lines(const std::string& text);

}  // namespace fathom
