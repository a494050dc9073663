#include "sandbox/isolation.h"

#include <sys/resource.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <initializer_list>

#include "base/error.h"

namespace fathom {
namespace {

namespace fs = std::filesystem;

using Words = std::vector<std::string>;

void add(Words& words, std::initializer_list<std::string> more) {
  words.insert(words.end(), more);
}

void add_namespaces(Words& words) {
  add(words, {"--unshare-user", "--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts",
              "--unshare-cgroup-try", "--disable-userns", "--hostname", "sandbox"});
  add(words, {"--uid", "65534", "--gid", "65534", "--cap-drop", "ALL"});
  add(words, {"--die-with-parent", "--new-session", "--clearenv"});
}

// Programs, their libraries, and the few files of /etc that these need: nothing that tells of the machine or
// its users.
void add_system(Words& words, const Isolation& isolation) {
  add(words, {"--ro-bind", "/usr", "/usr"});
  for (const std::string folder : {"/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"}) {
    std::error_code ignored;
    if (fs::is_symlink(folder, ignored))
      add(words, {"--symlink", fs::read_symlink(folder, ignored).string(), folder});
    else if (fs::is_directory(folder, ignored))
      add(words, {"--ro-bind", folder, folder});
  }
  for (const std::string path :
       {"/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/alternatives", "/etc/localtime"})
    add(words, {"--ro-bind-try", path, path});
  for (const std::string& path : isolation.read_only) add(words, {"--ro-bind", path, path});
}

void add_private_folders(Words& words, const SandboxLimits& limits) {
  const auto size = [](int64_t bytes) { return std::to_string(std::max<int64_t>(bytes, 4096)); };
  add(words, {"--proc", "/proc", "--dev", "/dev"});
  add(words, {"--perms", "1777", "--size", size(limits.disk_bytes / 4), "--tmpfs", "/dev/shm"});
  add(words, {"--perms", "1777", "--size", size(limits.disk_bytes), "--tmpfs", "/tmp"});
}

void add_files(Words& words, const SandboxProgram& program, const SandboxPlumbing& plumbing) {
  for (size_t i = 0; i < program.files.size(); ++i)
    add(words, {"--perms", program.files[i].executable ? "0555" : "0444", "--file",
                std::to_string(plumbing.files[i]), program.files[i].path});
}

// No more than this process may give itself: prlimit would fail.
std::string within_hard_limit(__rlimit_resource resource, int64_t value) {
  struct rlimit own {};
  ::getrlimit(resource, &own);
  if (own.rlim_max != RLIM_INFINITY) value = std::min(value, static_cast<int64_t>(own.rlim_max));
  return std::to_string(value);
}

// Limits of each process. They are set inside the namespaces: there the number of processes is counted for
// this sandbox alone, with bubblewrap's own first process in it.
void add_limits(Words& words, const SandboxLimits& limits) {
  // Above the tree's limit, so that a program that takes too much is seen to do so.
  const int64_t address_space = limits.memory_bytes + (int64_t{1} << 30);
  const auto cpu = static_cast<int64_t>(std::ceil(limits.cpu_seconds));
  add(words, {"/usr/bin/prlimit", "--nproc=" + within_hard_limit(RLIMIT_NPROC, limits.processes + 1),
              "--as=" + within_hard_limit(RLIMIT_AS, address_space),
              "--cpu=" + within_hard_limit(RLIMIT_CPU, cpu + 1),
              "--fsize=" + within_hard_limit(RLIMIT_FSIZE, limits.file_bytes),
              "--nofile=" + within_hard_limit(RLIMIT_NOFILE, limits.open_files), "--core=0", "--msgqueue=0",
              "--memlock=0"});
}

}  // namespace

std::vector<std::string> bubblewrap_command(const Isolation& isolation, const SandboxProgram& program,
                                            const SandboxPlumbing& plumbing) {
  check(!program.command.empty(), "the sandbox has no command to run");
  check(program.files.size() == plumbing.files.size(), "the sandbox has {} files, and descriptors of {}",
        program.files.size(), plumbing.files.size());
  Words words = {isolation.bubblewrap};
  add_namespaces(words);
  add_system(words, isolation);
  add_private_folders(words, program.limits);
  add_files(words, program, plumbing);
  add(words, {"--chdir", "/tmp", "--remount-ro", "/dev", "--remount-ro", "/"});
  add(words, {"--info-fd", std::to_string(plumbing.info)});
  if (plumbing.filter >= 0) add(words, {"--seccomp", std::to_string(plumbing.filter)});
  // bubblewrap's own --block-fd would start the program also when nobody is left to watch it.
  const std::string gate = std::to_string(plumbing.gate);
  add(words,
      {"--", "/bin/sh", "-c", fmt::format("read go <&{0} || exit; exec {0}<&-; exec \"$@\"", gate), "sh"});
  add(words, {"/usr/bin/env", "-i"});  // bubblewrap and the shell set PWD
  words.insert(words.end(), program.environment.begin(), program.environment.end());
  add_limits(words, program.limits);
  words.insert(words.end(), program.command.begin(), program.command.end());
  return words;
}

}  // namespace fathom
