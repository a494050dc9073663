#include "sandbox/probe.h"

#include <unistd.h>

#include <array>
#include <sstream>

#include "sandbox/supervise.h"

namespace fathom {
namespace {

constexpr const char* namespaces[] = {"user", "pid", "mnt", "net", "ipc", "uts"};

// What it looks at, and whether it can start more processes than it may: dash ends when a fork fails.
constexpr const char* script = R"sh(
cd /proc/self/ns
for n in user pid mnt net ipc uts; do echo "$n: $(readlink $n)"; done
while read -r line; do
  case $line in CapEff:*|CapBnd:*|NoNewPrivs:*|Seccomp:*) echo "$line";; esac
done < /proc/self/status
for i in 1 2 3 4 5 6 7 8 9 10; do sleep 5 & done
echo "forked: 10"
)sh";
constexpr int probed_processes = 6;

std::string own_namespace(const std::string& name) {
  std::array<char, 128> link;
  const ssize_t size = ::readlink(("/proc/self/ns/" + name).c_str(), link.data(), link.size());
  return {link.data(), static_cast<size_t>(size > 0 ? size : 0)};
}

bool all_differ(std::map<std::string, std::string>& seen) {
  for (const char* name : namespaces)
    if (seen[name].empty() || seen[name] == own_namespace(name)) return false;
  return true;
}

}  // namespace

std::map<std::string, std::string> parse_named_lines(const std::string& text) {
  std::map<std::string, std::string> values;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const size_t colon = line.find(':');
    if (colon == std::string::npos) continue;
    const size_t begin = line.find_first_not_of(" \t", colon + 1);
    values[line.substr(0, colon)] =
        begin == std::string::npos ? "" : line.substr(begin, line.find_last_not_of(" \t\r") + 1 - begin);
  }
  return values;
}

SandboxProbe probe_sandbox(const Isolation& isolation) {
  SandboxProgram program;
  program.command = {"/bin/sh", "-c", script};
  program.environment = {"PATH=/usr/bin:/bin"};
  program.limits.processes = probed_processes;
  program.limits.wall_seconds = 5;
  std::vector<SandboxProgram> programs;
  programs.push_back(std::move(program));
  const SandboxResult result = std::move(supervise(isolation, std::move(programs))[0]);
  auto seen = parse_named_lines(result.out.text);
  SandboxProbe probe;
  probe.ran = result.ending != SandboxEnding::not_started && !seen["user"].empty();
  probe.why_not = result.reason.empty() ? result.err.text : result.reason;
  probe.own_namespaces = all_differ(seen);
  constexpr const char* no_capabilities = "0000000000000000";
  probe.no_privileges =
      seen["CapEff"] == no_capabilities && seen["CapBnd"] == no_capabilities && seen["NoNewPrivs"] == "1";
  probe.filtered = seen["Seccomp"] == "2";
  probe.processes_limited = probe.ran && result.ending == SandboxEnding::exited && !seen.contains("forked");
  return probe;
}

}  // namespace fathom
