#include "sandbox/abilities.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <sstream>

#include "base/error.h"
#include "sandbox/control_group.h"
#include "sandbox/filter.h"
#include "sandbox/probe.h"

namespace fathom {
namespace {

constexpr const char* no_bubblewrap = "bwrap is not installed: apt install bubblewrap (0.8 or later)";

// Empty if there is none.
std::string find_bubblewrap(const std::string& given) {
  if (!given.empty()) return given;
  const char* path = std::getenv("PATH");
  std::istringstream folders(std::string(path ? path : "") + ":/usr/bin");
  for (std::string folder; std::getline(folders, folder, ':');)
    if (const std::string file = folder + "/bwrap"; !folder.empty() && ::access(file.c_str(), X_OK) == 0)
      return file;
  return {};
}

// The tightest form that runs here, what it was seen to do, and why tighter ones do not run.
struct Trial {
  Isolation isolation;
  SandboxProbe probe;
  std::string user_reason, filter_reason;
};

Trial try_forms(const Isolation& wanted) {
  Trial trial{wanted, probe_sandbox(wanted), "", ""};
  const auto attempt = [&](bool drop_user, bool filter, std::string& reason) {
    if (trial.probe.ran || (drop_user && !wanted.drop_user) || (filter && !wanted.filter)) return;
    Isolation weaker = wanted;
    weaker.drop_user = drop_user, weaker.filter = filter;
    SandboxProbe probe = probe_sandbox(weaker);
    if (!probe.ran) return;
    reason = trial.probe.why_not;
    trial.isolation = weaker, trial.probe = std::move(probe);
  };
  attempt(false, true, trial.user_reason);
  attempt(true, false, trial.filter_reason);
  attempt(false, false, trial.filter_reason);
  return trial;
}

SandboxAbility row(const std::string& name, bool enforced, const std::string& how,
                   const std::string& why_not) {
  return {name, enforced ? Enforced::by_kernel : Enforced::not_at_all, enforced ? how : why_not};
}

void add_isolation(SandboxAbilities& found, const Trial& trial, const std::string& filter_missing) {
  auto& rows = found.rows;
  const SandboxProbe& probe = trial.probe;
  rows.push_back(row("namespaces", probe.own_namespaces, "bubblewrap: own user, pid, mount, net, ipc and uts",
                     probe.why_not));
  const bool up = probe.own_namespaces;
  const std::string without = "needs the namespaces";
  rows.push_back(row("network", up, "a network namespace with nothing but its own loopback", without));
  rows.push_back(
      row("files", up, "/usr read-only, private /tmp and /dev/shm, nothing else of the machine", without));
  rows.push_back(row("environment", up, "empty but for what a program is given", without));
  rows.push_back(row("privileges", up && probe.no_privileges,
                     "no capabilities, none to be gained, no further user namespaces",
                     up ? "capabilities are left" : without));
  if (::geteuid() == 0)
    rows.push_back(row("user", up && trial.isolation.drop_user, "root's programs run as nobody",
                       up ? "root stays root outside its namespace: " + trial.user_reason : without));
  rows.push_back(row("system calls", up && probe.filtered, "seccomp: no ptrace, mounts, io_uring, vsock, ...",
                     up ? filter_missing + trial.filter_reason : without));
}

void add_limits(SandboxAbilities& found, const SandboxProbe& probe, const std::string& no_group) {
  auto& rows = found.rows;
  const bool up = probe.own_namespaces, grouped = !found.isolation.control_group.empty();
  const auto watched = up ? Enforced::by_watching : Enforced::not_at_all;
  const auto kernel = up ? Enforced::by_kernel : Enforced::not_at_all;
  rows.push_back({"wall time", watched, "a clock beside the program, every 10 ms"});
  rows.push_back({"processor time", watched, "of the tree, every 10 ms; of each process by the kernel"});
  rows.push_back(
      {"memory", grouped ? kernel : watched,
       grouped ? "cgroup v2 below " + found.isolation.control_group
               : "of the tree, every 10 ms; address space of each process by the kernel (no cgroup v2: " +
                     no_group + ")"});
  const bool counted = grouped || probe.processes_limited;
  rows.push_back({"processes", counted ? kernel : watched,
                  grouped   ? "cgroup v2"
                  : counted ? "counted in the user namespace"
                            : "of the tree, every 10 ms"});
  rows.push_back({"file size, open files", kernel, "of each process"});
  rows.push_back({"disk", kernel, "size of the private folders; number of files every 10 ms"});
  rows.push_back({"output", watched, "kept up to a limit, stopped at a larger one"});
  rows.push_back({"end of the tree", kernel, "process 1 of the pid namespace takes all along"});
}

}  // namespace

std::string_view to_string(Enforced enforced) {
  switch (enforced) {
    case Enforced::by_kernel:
      return "by the kernel";
    case Enforced::by_watching:
      return "by watching";
    case Enforced::not_at_all:
      return "NOT ENFORCED";
  }
  return "";
}

std::string SandboxAbilities::missing() const {
  std::string text;
  for (const SandboxAbility& row : rows)
    if (row.enforced == Enforced::not_at_all)
      text += fmt::format("{}{} ({})", text.empty() ? "" : ", ", row.name, row.how);
  return text;
}

SandboxAbilities find_sandbox_abilities(const SandboxOptions& options) {
  Isolation wanted;
  wanted.bubblewrap = find_bubblewrap(options.bubblewrap);
  wanted.drop_user = ::geteuid() == 0;
  wanted.filter = !system_call_filter().empty();
  wanted.read_only = options.read_only;
  const std::string filter_missing = wanted.filter ? "" : "the call numbers of this processor are not known";
  Trial trial{wanted, {}, "", ""};
  if (wanted.bubblewrap.empty())
    trial.probe.why_not = no_bubblewrap;
  else
    trial = try_forms(wanted);
  SandboxAbilities found;
  found.isolation = trial.isolation;
  std::string no_group;
  if (trial.probe.own_namespaces)
    found.isolation.control_group = find_control_group(options.control_group, no_group);
  check(
      options.control_group.empty() || !found.isolation.control_group.empty() || !trial.probe.own_namespaces,
      "{}: cannot hold control groups: {}", options.control_group, no_group);
  if (!found.isolation.control_group.empty()) {
    // Groups can be made; but may processes move there?
    const SandboxProbe grouped = probe_sandbox(found.isolation);
    if (!grouped.ran) no_group = grouped.why_not, found.isolation.control_group.clear();
  }
  add_isolation(found, trial, filter_missing);
  add_limits(found, trial.probe, no_group);
  found.can_run = trial.probe.own_namespaces;
  return found;
}

}  // namespace fathom
