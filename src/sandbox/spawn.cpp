#include "sandbox/spawn.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <memory>

#include "base/error.h"
#include "io/descriptor.h"
#include "sandbox/pipe.h"

namespace fathom {
namespace {

constexpr int most_descriptors = 64;
constexpr int above_all = 256;  // copies of descriptors lie here until each has its place
constexpr int nobody = 65534;

// What the child needs, made before it exists: it shares our memory, and may only make system calls.
struct Child {
  char* const* command;
  char* const* environment;
  const std::pair<int, int>* descriptors;
  size_t descriptor_count;
  int control_group;
  bool drop_user;
  const char* user_map;  // lines for its uid_map and gid_map; null: it has no user namespace of its own
  const char* group_map;
  int status;  // where it writes an errno
};

void reset_signals() {
  struct sigaction plain {};
  plain.sa_handler = SIG_DFL;
  for (int signal = 1; signal < NSIG; ++signal) ::sigaction(signal, &plain, nullptr);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

bool place_descriptors(const Child& child, int& status) {
  std::array<int, most_descriptors> copies;
  status = ::fcntl(child.status, F_DUPFD_CLOEXEC, above_all);
  if (status < 0) return false;
  for (size_t i = 0; i < child.descriptor_count; ++i)
    if ((copies[i] = ::fcntl(child.descriptors[i].first, F_DUPFD, above_all)) < 0) return false;
  if (::syscall(SYS_close_range, 0u, ~0u, CLOSE_RANGE_CLOEXEC) != 0) return false;
  for (size_t i = 0; i < child.descriptor_count; ++i)
    if (::dup2(copies[i], child.descriptors[i].second) < 0) return false;
  return true;
}

// Raw calls: the C library's would change the user of every thread of ours.
bool become_nobody() {
  return ::syscall(SYS_setgroups, 0, nullptr) == 0 && ::syscall(SYS_setresgid, nobody, nobody, nobody) == 0 &&
         ::syscall(SYS_setresuid, nobody, nobody, nobody) == 0;
}

bool write_whole(const char* path, const char* text) {
  const int file = ::open(path, O_WRONLY | O_CLOEXEC);
  if (file < 0) return false;
  const auto size = static_cast<ssize_t>(std::char_traits<char>::length(text));
  const bool written = ::write(file, text, static_cast<size_t>(size)) == size;
  ::close(file);
  return written;
}

// When memory runs out, the kernel is to take this process and not the one that trains.
void be_first_to_go() {
  write_whole("/proc/self/oom_score_adj", "1000");
}

// Whoever is not root needs a user namespace to make a pid namespace in; there it stays who it is.
bool map_user(const Child& child) {
  return write_whole("/proc/self/setgroups", "deny") && write_whole("/proc/self/uid_map", child.user_map) &&
         write_whole("/proc/self/gid_map", child.group_map);
}

bool prepare(const Child& child, int& status) {
  ::setsid();
  if (child.user_map && !map_user(child)) return false;
  be_first_to_go();
  if (child.control_group >= 0 && ::write(child.control_group, "0", 1) != 1) return false;
  if (!place_descriptors(child, status)) return false;
  if (child.drop_user && !become_nobody()) return false;
  // After the change of user, which would clear it.
  return ::prctl(PR_SET_PDEATHSIG, SIGKILL) == 0;
}

// Its result is the child's exit code, if it comes to that.
int become_child(void* argument) {
  const Child& child = *static_cast<const Child*>(argument);
  reset_signals();
  int status = child.status;
  if (prepare(child, status)) ::execve(child.command[0], child.command, child.environment);
  const int error = errno;
  return ::write(status, &error, sizeof error) == sizeof error ? 127 : 126;
}

// No handler of ours may run in the child, which shares our memory.
class BlockedSignals {
 public:
  BlockedSignals() {
    sigset_t all;
    sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~BlockedSignals() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_;
};

#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || __has_feature(address_sanitizer) || \
    __has_feature(thread_sanitizer)
// A sanitizer's own state must not be shared with the child.
constexpr int shared_memory = 0;
#else
constexpr int shared_memory = CLONE_VM;
#endif

pid_t start(Child& child) {
  const BlockedSignals blocked;
  constexpr size_t stack_size = 256 << 10;
  const auto stack = std::make_unique<char[]>(stack_size);
  const int namespaces = CLONE_NEWPID | (child.user_map ? CLONE_NEWUSER : 0);
  return ::clone(become_child, stack.get() + stack_size, shared_memory | CLONE_VFORK | namespaces | SIGCHLD,
                 &child);
}

}  // namespace

pid_t spawn(const SpawnRequest& request) {
  check(request.descriptors.size() <= most_descriptors,
        "{}: cannot start with {} descriptors, {} is the most", request.command.at(0),
        request.descriptors.size(), most_descriptors);
  std::vector<char*> command;
  for (const std::string& word : request.command) command.push_back(const_cast<char*>(word.c_str()));
  command.push_back(nullptr);
  auto [status, child_status] = make_pipe();
  char* const no_environment[] = {nullptr};
  const std::string user_map = fmt::format("{0} {0} 1", ::geteuid());
  const std::string group_map = fmt::format("{0} {0} 1", ::getegid());
  const bool root = ::geteuid() == 0;
  Child child{.command = command.data(),
              .environment = no_environment,
              .descriptors = request.descriptors.data(),
              .descriptor_count = request.descriptors.size(),
              .control_group = request.control_group,
              .drop_user = request.drop_user,
              .user_map = root ? nullptr : user_map.c_str(),
              .group_map = group_map.c_str(),
              .status = child_status.value()};
  const pid_t pid = start(child);
  check(pid > 0, "{}: cannot start: {}", request.command[0], reason(errno));
  child_status.close();
  int error = 0;
  ssize_t got;
  while ((got = ::read(status.value(), &error, sizeof error)) < 0 && errno == EINTR) {
  }
  if (got == 0) return pid;
  while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
  }
  fail("{}: cannot start: {}", request.command[0], reason(error));
}

}  // namespace fathom
