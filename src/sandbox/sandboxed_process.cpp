#include "sandbox/sandboxed_process.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/error.h"
#include "base/progress.h"

namespace fathom {
namespace {

constexpr auto watch_interval = std::chrono::milliseconds(10);

double seconds(std::chrono::steady_clock::duration time) {
  return std::chrono::duration<double>(time).count();
}

}  // namespace

SandboxedProcess::~SandboxedProcess() {
  if (ended_ || bubblewrap_ < 0) return;
  kill();
  reap(true);
}

void SandboxedProcess::add_polled(std::vector<pollfd>& polled) const {
  if (ended_) return;
  polled.push_back({bubblewrap_handle_.value(), POLLIN, 0});
  for (const Capture* capture : {&out_, &err_, report_ ? &*report_ : nullptr})
    if (capture && capture->reader() >= 0) polled.push_back({capture->reader(), POLLIN, 0});
}

void SandboxedProcess::read_outputs() {
  out_.read_some(), err_.read_some();
  if (report_) report_->read_some();
}

void SandboxedProcess::tend() {
  if (ended_) return;
  read_outputs();
  if (!stopping_) check_limits();
  reap(false);
}

void SandboxedProcess::check_limits() {
  const SandboxLimits& limits = program_.limits;
  const auto now = Clock::now();
  if (seconds(now - started_) > limits.wall_seconds)
    return stop(SandboxEnding::wall_time, fmt::format("ran longer than {:g} s", limits.wall_seconds));
  if (std::max(out_.total_bytes(), err_.total_bytes()) > limits.flood_bytes ||
      (report_ && report_->total_bytes() > program_.report_bytes))
    return stop(SandboxEnding::output, "wrote too much output");
  if (now - watched_ < watch_interval) return;
  watched_ = now;
  check_tree();
}

void SandboxedProcess::check_tree() {
  const SandboxLimits& limits = program_.limits;
  const TreeUsage usage = tree_->usage();
  const DiskUsage disk = disk_usage(disks_);
  const double cpu = group_ ? group_->cpu_seconds() : usage.cpu_seconds;
  result_.cpu_seconds = std::max(result_.cpu_seconds, cpu);
  if (result_.cpu_seconds > limits.cpu_seconds)
    return stop(SandboxEnding::cpu_time,
                fmt::format("used more than {:g} s of processor time", limits.cpu_seconds));
  if (usage.tasks > limits.processes + 1)  // and bubblewrap's own
    return stop(SandboxEnding::processes, fmt::format("had more than {} processes", limits.processes));
  if (disk.files > limits.disk_files)
    return stop(SandboxEnding::disk, fmt::format("made more than {} files", limits.disk_files));
  check_memory(usage.memory_bytes, disk.bytes);
}

// The cheap sum counts pages that processes share several times: only a closer look decides.
void SandboxedProcess::check_memory(int64_t resident, int64_t on_disk) {
  const int64_t limit = program_.limits.memory_bytes;
  int64_t used = resident + on_disk;
  if (used > limit) used = tree_->exact_memory() + on_disk;
  result_.peak_memory = std::max(result_.peak_memory, used);
  if (used > limit)
    stop(SandboxEnding::memory, "took more memory than " + human_bytes(static_cast<double>(limit)));
}

void SandboxedProcess::stop(SandboxEnding ending, const std::string& reason) {
  if (ended_ || stopping_) return;
  stopping_ = true;
  result_.ending = ending;
  result_.reason = reason;
  kill();
}

// bubblewrap is process 1 of a namespace around the sandbox's own: everything ends with it.
void SandboxedProcess::kill() {
  ::syscall(SYS_pidfd_send_signal, bubblewrap_handle_.value(), SIGKILL, nullptr, 0);
  if (group_) group_->kill();
}

void SandboxedProcess::drain_outputs() {
  for (Capture* capture : {&out_, &err_, report_ ? &*report_ : nullptr})
    while (capture && capture->reader() >= 0) {
      const int64_t before = capture->total_bytes();
      capture->read_some();
      if (capture->total_bytes() == before) break;
    }
}

// What it has used includes all processes of the tree: the kernel waits for them as process 1 ends.
void SandboxedProcess::reap(bool wait) {
  int status = 0;
  struct rusage used {};
  pid_t pid;
  while ((pid = ::wait4(bubblewrap_, &status, wait ? 0 : WNOHANG, &used)) < 0 && errno == EINTR) {
  }
  if (pid == 0) return;
  ended_ = true;
  result_.wall_seconds = seconds(Clock::now() - started_);
  const auto time = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec);
  };
  result_.cpu_seconds = std::max(result_.cpu_seconds, time(used.ru_utime) + time(used.ru_stime));
  drain_outputs();
  if (stopping_) return;
  result_.ending = SandboxEnding::exited;
  result_.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

SandboxResult SandboxedProcess::result() {
  const bool killed = result_.exit_code >= 128 + SIGKILL;
  if (group_) {
    result_.peak_memory = std::max(result_.peak_memory, group_->peak_memory());
    result_.cpu_seconds = std::max(result_.cpu_seconds, group_->cpu_seconds());
    if (result_.ending == SandboxEnding::exited && group_->out_of_memory())
      result_.ending = SandboxEnding::memory, result_.reason = "took more memory than its limit";
  }
  if (result_.ending == SandboxEnding::exited && killed && result_.cpu_seconds > program_.limits.cpu_seconds)
    result_.ending = SandboxEnding::cpu_time, result_.reason = "used too much processor time";
  result_.out = out_.take(), result_.err = err_.take();
  if (report_) result_.report = report_->take();
  return std::move(result_);
}

}  // namespace fathom
