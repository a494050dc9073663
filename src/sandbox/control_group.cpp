#include "sandbox/control_group.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <filesystem>
#include <sstream>
#include <thread>

#include "base/error.h"
#include "io/file.h"

namespace fathom {
namespace {

namespace fs = std::filesystem;

// Empty if it cannot be read.
std::string text_of(const std::string& path) {
  std::error_code ignored;
  return fs::exists(path, ignored) && ::access(path.c_str(), R_OK) == 0 ? read_file(path) : "";
}

bool has_word(const std::string& text, const std::string& word) {
  std::istringstream words(text);
  for (std::string one; words >> one;)
    if (one == word) return true;
  return false;
}

// 0, or the errno. The file exists already: these are the kernel's.
int write_text(const std::string& path, const std::string& text) {
  Descriptor file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!file) return errno;
  return ::write(file.value(), text.data(), text.size()) == static_cast<ssize_t>(text.size()) ? 0 : errno;
}

// The number after `name` in lines of "name number"; 0 without.
int64_t number_after(const std::string& text, const std::string& name) {
  std::istringstream words(text);
  for (std::string one; words >> one;)
    if (int64_t value = 0; one == name && words >> value) return value;
  return 0;
}

// "/user.slice/..." of the line "0::/user.slice/..."; empty without one.
std::string own_group(const std::string& root) {
  std::istringstream lines(text_of(root + "/proc/self/cgroup"));
  for (std::string line; std::getline(lines, line);)
    if (line.rfind("0::", 0) == 0) return line.substr(3);
  return {};
}

// Where cgroup v2 is mounted; empty if it is not.
std::string mount_point(const std::string& root) {
  std::istringstream lines(text_of(root + "/proc/self/mountinfo"));
  for (std::string line; std::getline(lines, line);) {
    if (line.find(" - cgroup2 ") == std::string::npos) continue;
    std::istringstream words(line);
    std::string point;
    for (int i = 0; i < 5; ++i) words >> point;
    return root + point;
  }
  return {};
}

// Whether groups made in `folder` can have the two limits; asks for it if they do not have them yet.
bool can_hold_groups(const std::string& folder, std::string& why_not) {
  if (::access(folder.c_str(), W_OK) != 0) {
    why_not = fmt::format("{} may not be written to", folder);
    return false;
  }
  const std::string file = folder + "/cgroup.subtree_control";
  for (const char* controller : {"memory", "pids"}) {
    if (has_word(text_of(file), controller)) continue;
    if (!has_word(text_of(folder + "/cgroup.controllers"), controller)) {
      why_not = fmt::format("{} has no {} controller", folder, controller);
      return false;
    }
    if (const int error = write_text(file, fmt::format("+{}", controller))) {
      why_not = fmt::format("{}: {}", file, reason(error));
      return false;
    }
  }
  return true;
}

constexpr const char* name_of_groups = "fathom-sandbox-";

// What killed processes left: groups that are named after a process that is gone. One that still has members
// cannot be removed.
void remove_leftovers(const std::string& folder) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    const std::string name = entry.path().filename().string();
    if (name.rfind(name_of_groups, 0) != 0) continue;
    const std::string number = name.substr(std::string_view(name_of_groups).size());
    if (!fs::exists("/proc/" + number.substr(0, number.find('-')), error)) ::rmdir(entry.path().c_str());
  }
}

// `folder`, in which groups can be made.
std::string prepared(const std::string& folder) {
  remove_leftovers(folder);
  return folder;
}

}  // namespace

std::string find_control_group(const std::string& given, std::string& why_not, const std::string& root) {
  if (!given.empty()) return can_hold_groups(given, why_not) ? prepared(given) : "";
  const std::string mount = mount_point(root), group = own_group(root);
  if (mount.empty() || group.empty()) {
    why_not = "cgroup v2 is not mounted";
    return {};
  }
  const fs::path own = fs::path(mount + group).lexically_normal();
  if (can_hold_groups(own.string(), why_not)) return prepared(own.string());
  // A group with processes, as ours is, can have none below it with limits; but one beside it may.
  std::string ignored;
  const std::string above = own.parent_path().string();
  if (group != "/" && can_hold_groups(above, ignored)) return prepared(above);
  return {};
}

ControlGroup::ControlGroup(const std::string& folder, const SandboxLimits& limits) {
  static std::atomic<int> count = 0;
  path_ = fmt::format("{}/{}{}-{}", folder, name_of_groups, ::getpid(), ++count);
  const bool made = ::mkdir(path_.c_str(), 0755) == 0;
  check(made, "{}: cannot create: {}", path_, reason(errno));
  const auto set = [&](const char* file, const std::string& value) {
    const int error = write_text(path_ + "/" + file, value);
    if (error == 0) return;
    ::rmdir(path_.c_str());
    fail("{}/{}: cannot set to {}: {}", path_, file, value, reason(error));
  };
  set("memory.max", std::to_string(limits.memory_bytes));
  if (fs::exists(path_ + "/memory.swap.max")) set("memory.swap.max", "0");
  set("memory.oom.group", "1");
  set("pids.max", std::to_string(limits.processes + 2));  // and two processes of bubblewrap
  processes_ = Descriptor(::open((path_ + "/cgroup.procs").c_str(), O_WRONLY | O_CLOEXEC));
  if (!processes_) set("cgroup.procs", "");
}

ControlGroup::~ControlGroup() {
  // The kernel takes a moment to let go of the last process.
  for (int attempt = 0; attempt < 200 && ::rmdir(path_.c_str()) != 0 && errno == EBUSY; ++attempt)
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
}

bool ControlGroup::out_of_memory() const {
  return number_after(text_of(path_ + "/memory.events"), "oom_kill") > 0;
}

double ControlGroup::cpu_seconds() const {
  return static_cast<double>(number_after(text_of(path_ + "/cpu.stat"), "usage_usec")) / 1e6;
}

int64_t ControlGroup::peak_memory() const {
  const std::string text = text_of(path_ + "/memory.peak");
  int64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

void ControlGroup::kill() const {
  write_text(path_ + "/cgroup.kill", "1");
}

}  // namespace fathom
