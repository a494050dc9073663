#include "align/rewards/child_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>

#include "base/error.h"

extern char** environ;

namespace fathom {
namespace {

constexpr size_t kept_errors = 4096;

struct Pipe {
  Descriptor ours, theirs;
};

// A socket where a pipe would do: writing to one whose reader is gone can be told to raise no signal.
Pipe make_pipe() {
  int ends[2];
  check(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0, "cannot make a socket: {}",
        reason(errno));
  Pipe pipe{Descriptor(ends[0]), Descriptor(ends[1])};
  check(::fcntl(ends[0], F_SETFL, O_NONBLOCK) == 0, "cannot set up a socket: {}", reason(errno));
  return pipe;
}

class SpawnSettings {
 public:
  SpawnSettings(int input, int output, int errors) {
    posix_spawn_file_actions_init(&files_);
    posix_spawn_file_actions_adddup2(&files_, input, STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&files_, output, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&files_, errors, STDERR_FILENO);
    posix_spawn_file_actions_addclosefrom_np(&files_, STDERR_FILENO + 1);
    posix_spawnattr_init(&attributes_);
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(&attributes_, &none);
    posix_spawnattr_setsigdefault(&attributes_, &all);
    posix_spawnattr_setpgroup(&attributes_, 0);
    posix_spawnattr_setflags(&attributes_,
                             POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  }
  ~SpawnSettings() {
    posix_spawn_file_actions_destroy(&files_);
    posix_spawnattr_destroy(&attributes_);
  }
  SpawnSettings(const SpawnSettings&) = delete;
  SpawnSettings& operator=(const SpawnSettings&) = delete;

  const posix_spawn_file_actions_t* files() const { return &files_; }
  const posix_spawnattr_t* attributes() const { return &attributes_; }

 private:
  posix_spawn_file_actions_t files_;
  posix_spawnattr_t attributes_;
};

// Bytes read into `out`; 0 at the end, -1 when there is nothing now.
ssize_t read_some(const Descriptor& from, std::string& out) {
  std::array<char, 1 << 16> buffer;
  ssize_t n;
  do n = ::read(from.value(), buffer.data(), buffer.size());
  while (n < 0 && errno == EINTR);
  if (n > 0) out.append(buffer.data(), static_cast<size_t>(n));
  return n < 0 && errno != EAGAIN ? 0 : n;
}

}  // namespace

ChildProcess::ChildProcess(const std::vector<std::string>& command) {
  Pipe input = make_pipe(), output = make_pipe(), errors = make_pipe();
  const SpawnSettings settings(input.theirs.value(), output.theirs.value(), errors.theirs.value());
  std::vector<char*> arguments;
  for (const std::string& argument : command) arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  const int error =
      ::posix_spawnp(&pid_, arguments[0], settings.files(), settings.attributes(), arguments.data(), environ);
  check(error == 0, "cannot start '{}': {}", command[0], reason(error));
  input_ = std::move(input.ours);
  output_ = std::move(output.ours);
  errors_ = std::move(errors.ours);
}

ChildProcess::~ChildProcess() {
  if (status_) return;
  input_.close();
  std::string ignored;
  std::string_view nothing;
  for (int tenth = 0; tenth < 10 && exchange(nothing, ignored, 0.1); ++tenth) ignored.clear();
  end();
}

bool ChildProcess::exchange(std::string_view& to_write, std::string& received, double seconds) {
  std::array<pollfd, 3> files = {{{output_.value(), POLLIN, 0},
                                  {errors_.value(), POLLIN, 0},
                                  {to_write.empty() ? -1 : input_.value(), POLLOUT, 0}}};
  const int milliseconds = static_cast<int>(std::ceil(std::clamp(seconds, 0.0, 3600.0) * 1000));
  if (::poll(files.data(), files.size(), milliseconds) <= 0) return true;
  if (files[1].revents) drain_errors();
  if (files[2].revents) {
    const ssize_t n = ::send(input_.value(), to_write.data(), to_write.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n > 0) to_write.remove_prefix(static_cast<size_t>(n));
    if (n < 0 && errno != EAGAIN && errno != EINTR) input_.close();  // it reads no more, but may still write
  }
  return !files[0].revents || read_some(output_, received) != 0;
}

void ChildProcess::drain_errors() {
  if (read_some(errors_, last_errors_) == 0) errors_.close();
  if (last_errors_.size() > kept_errors) last_errors_.erase(0, last_errors_.size() - kept_errors);
}

std::string ChildProcess::end() {
  if (status_) return outcome();
  // The group goes before its leader is waited for: until then its number cannot be another group's. A
  // program that closed its output is about to end: its own exit code says more than our signal.
  int status = 0;
  siginfo_t info{};
  for (int i = 0; i < 20 && info.si_pid == 0; ++i) {
    if (::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) != 0) break;
    if (info.si_pid == 0) ::poll(nullptr, 0, 5);
  }
  ::kill(-pid_, SIGKILL);
  while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  status_ = status;
  if (errors_) drain_errors();
  return outcome();
}

std::string ChildProcess::outcome() const {
  std::string text = WIFSIGNALED(*status_) ? fmt::format("signal {}", WTERMSIG(*status_))
                                           : fmt::format("exit code {}", WEXITSTATUS(*status_));
  const size_t last = last_errors_.find_last_not_of(" \r\n");
  if (last == std::string::npos) return text;
  const size_t line = last_errors_.find_last_of('\n', last);
  const size_t begin = line == std::string::npos ? 0 : line + 1;
  return text + ": " + last_errors_.substr(begin, last + 1 - begin);
}

}  // namespace fathom
