#include "support/traced_program.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <map>

#include "base/error.h"
#include "io/file.h"
#include "support/paths.h"
#include "support/temp_dir.h"

namespace fathom::testing {

#ifdef __x86_64__

namespace {

bool changes_files(long number, const unsigned long* arguments) {
  constexpr long always[] = {SYS_rename,    SYS_renameat,  SYS_renameat2, SYS_unlink,    SYS_unlinkat,
                             SYS_rmdir,     SYS_mkdir,     SYS_mkdirat,   SYS_link,      SYS_linkat,
                             SYS_symlink,   SYS_symlinkat, SYS_fsync,     SYS_fdatasync, SYS_sync_file_range,
                             SYS_ftruncate, SYS_truncate,  SYS_fchmod,    SYS_chmod,     SYS_fchmodat,
                             SYS_fchown,    SYS_chown,     SYS_fchownat,  SYS_fallocate, SYS_copy_file_range,
                             SYS_sendfile,  SYS_creat,     SYS_flock};
  if (std::find(std::begin(always), std::end(always), number) != std::end(always)) return true;
  constexpr unsigned long changing = O_CREAT | O_TRUNC;
  switch (number) {
    case SYS_open:
      return (arguments[1] & changing) != 0;
    case SYS_openat:
      return (arguments[2] & changing) != 0;
    case SYS_write:
    case SYS_writev:
    case SYS_pwrite64:
    case SYS_pwritev:
      return arguments[0] > STDERR_FILENO;
    default:
      return false;
  }
}

[[noreturn]] void become_program(const std::vector<std::string>& arguments, const std::string& out,
                                 const std::string& err, bool traced) {
  std::vector<char*> argv;
  std::string name = program();
  argv.push_back(name.data());
  std::vector<std::string> copies = arguments;
  for (std::string& argument : copies) argv.push_back(argument.data());
  argv.push_back(nullptr);
  ::dup2(::open(out.c_str(), O_WRONLY | O_CREAT, 0600), STDOUT_FILENO);
  ::dup2(::open(err.c_str(), O_WRONLY | O_CREAT, 0600), STDERR_FILENO);
  if (traced && ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) ::_exit(127);
  if (traced) ::raise(SIGSTOP);
  ::execv(name.c_str(), argv.data());
  ::_exit(127);
}

class Tracer {
 public:
  Tracer(pid_t program, const std::function<Action(const FileCall&)>& decide)
      : program_(program), decide_(decide) {}

  int file_calls() const { return calls_; }
  // The status with which the program ended.
  int follow();

 private:
  void at_call(pid_t thread);
  void fail_call(pid_t thread, int error);
  void end_call(pid_t thread);

  const pid_t program_;
  const std::function<Action(const FileCall&)>& decide_;
  int calls_ = 0;
  bool killed_ = false;
  std::map<pid_t, int> failing_;  // thread and the errno that its call is to return
};

int Tracer::follow() {
  int ended = 0;
  for (;;) {
    int status = 0;
    const pid_t thread = ::waitpid(-1, &status, __WALL);
    if (thread < 0) return ended;  // no thread is left
    if (!WIFSTOPPED(status)) {
      if (thread == program_) ended = status;
      continue;
    }
    int signal = 0;
    if (WSTOPSIG(status) == (SIGTRAP | 0x80))
      at_call(thread);
    else if (WSTOPSIG(status) != SIGTRAP && WSTOPSIG(status) != SIGSTOP)
      signal = WSTOPSIG(status);
    if (!killed_) ::ptrace(PTRACE_SYSCALL, thread, nullptr, signal);
  }
}

void Tracer::at_call(pid_t thread) {
  __ptrace_syscall_info info{};
  if (::ptrace(PTRACE_GET_SYSCALL_INFO, thread, sizeof info, &info) <= 0) return;
  if (info.op == PTRACE_SYSCALL_INFO_EXIT) return end_call(thread);
  if (info.op != PTRACE_SYSCALL_INFO_ENTRY || killed_) return;
  FileCall call{calls_, static_cast<long>(info.entry.nr), {}};
  std::copy_n(info.entry.args, 6, call.arguments);
  if (!changes_files(call.number, call.arguments)) return;
  ++calls_;
  const Action action = decide_(call);
  if (action.kind == Action::fail) fail_call(thread, action.error);
  if (action.kind == Action::kill) {
    killed_ = true;
    ::kill(program_, SIGKILL);
  }
}

void Tracer::fail_call(pid_t thread, int error) {
  ::ptrace(PTRACE_POKEUSER, thread, offsetof(user, regs.orig_rax), -1L);  // no such call: it does nothing
  failing_[thread] = error;
}

void Tracer::end_call(pid_t thread) {
  const auto found = failing_.find(thread);
  if (found == failing_.end()) return;
  ::ptrace(PTRACE_POKEUSER, thread, offsetof(user, regs.rax), static_cast<long>(-found->second));
  failing_.erase(found);
}

}  // namespace

TracedRun run_traced(const std::vector<std::string>& arguments,
                     const std::function<Action(const FileCall&)>& decide) {
  const TempDir dir;
  const pid_t child = ::fork();
  check(child >= 0, "cannot fork");
  if (child == 0) become_program(arguments, dir / "out", dir / "err", static_cast<bool>(decide));
  int status = 0, calls = 0;
  ::waitpid(child, &status, __WALL);
  if (decide) {
    check(WIFSTOPPED(status), "cannot trace a process");
    ::ptrace(PTRACE_SETOPTIONS, child, nullptr,
             PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL);
    ::ptrace(PTRACE_SYSCALL, child, nullptr, nullptr);
    Tracer tracer(child, decide);
    status = tracer.follow();
    calls = tracer.file_calls();
  }
  const int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return {code, calls, read_file(dir / "out"), read_file(dir / "err")};
}

bool can_trace() {
  const pid_t child = ::fork();
  if (child == 0) {
    if (::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) == 0) ::raise(SIGSTOP);
    ::_exit(0);
  }
  int status = 0;
  if (child < 0 || ::waitpid(child, &status, __WALL) != child || !WIFSTOPPED(status)) return false;
  ::ptrace(PTRACE_SETOPTIONS, child, nullptr, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL);
  ::ptrace(PTRACE_SYSCALL, child, nullptr, nullptr);
  __ptrace_syscall_info info{};
  const bool can = ::waitpid(child, &status, __WALL) == child && WIFSTOPPED(status) &&
                   ::ptrace(PTRACE_GET_SYSCALL_INFO, child, sizeof info, &info) > 0;
  ::kill(child, SIGKILL);
  ::waitpid(child, &status, __WALL);
  return can;
}

#else

bool can_trace() {
  return false;
}
TracedRun run_traced(const std::vector<std::string>&, const std::function<Action(const FileCall&)>&) {
  fail("tracing is written for x86-64");
}

#endif

}  // namespace fathom::testing
