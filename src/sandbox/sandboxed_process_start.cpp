// The beginning of a SandboxedProcess: bubblewrap's start, the wait until its sandbox stands, and the
// program's release.
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <thread>

#include "base/error.h"
#include "sandbox/filter.h"
#include "sandbox/pipe.h"
#include "sandbox/sandboxed_process.h"
#include "sandbox/spawn.h"

namespace fathom {
namespace {

constexpr auto preparation_time = std::chrono::seconds(20);
constexpr int gate_number = 9;  // numbers below are for the program's descriptors
constexpr int first_plumbing = 16;

// A file in memory with this content, to be read from its start, and never to be changed.
Descriptor memory_file(const std::string& content) {
  Descriptor file(::memfd_create("sandbox", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  check(static_cast<bool>(file), "cannot make a file in memory: {}", reason(errno));
  for (size_t at = 0; at < content.size();) {
    const ssize_t size = ::write(file.value(), content.data() + at, content.size() - at);
    check(size > 0 || errno == EINTR, "cannot write {} bytes to memory: {}", content.size(), reason(errno));
    at += static_cast<size_t>(std::max<ssize_t>(size, 0));
  }
  ::lseek(file.value(), 0, SEEK_SET);
  ::fcntl(file.value(), F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL);
  return file;
}

// For this thread, while it lives; one that came meanwhile is taken back.
class BlockedSignal {
 public:
  explicit BlockedSignal(int signal) {
    sigemptyset(&set_);
    sigaddset(&set_, signal);
    ::pthread_sigmask(SIG_BLOCK, &set_, &before_);
  }
  ~BlockedSignal() {
    const timespec now{};
    ::sigtimedwait(&set_, nullptr, &now);
    ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }

 private:
  sigset_t set_, before_;
};

Descriptor open_process(pid_t pid) {
  return Descriptor(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
}

// The only child of a process with one thread; -1 if there is none.
pid_t child_of(pid_t pid) {
  const Descriptor file(
      ::open(fmt::format("/proc/{0}/task/{0}/children", pid).c_str(), O_RDONLY | O_CLOEXEC));
  char text[64];
  const ssize_t size = file ? ::read(file.value(), text, sizeof text) : 0;
  pid_t child = -1;
  std::from_chars(text, text + std::max<ssize_t>(size, 0), child);
  return child;
}

// Whether `path`, seen through the process's root, lies on another file system than our own: the process has
// moved to its new root.
bool has_own(const std::string& root, const std::string& path) {
  struct stat inside {
  }, outside{};
  return ::stat((root + path).c_str(), &inside) == 0 &&
         (::stat(path.c_str(), &outside) != 0 || inside.st_dev != outside.st_dev);
}

}  // namespace

SandboxedProcess::SandboxedProcess(const Isolation& isolation, SandboxProgram program)
    : program_(std::move(program)), out_(program_.limits.output_bytes), err_(program_.limits.output_bytes) {
  fathom::check_limits(program_.limits);
  for (const HandedDescriptor& handed : program_.descriptors)
    check(handed.number > 2 && handed.number < gate_number, "descriptor {} cannot be handed to a sandbox",
          handed.number);
  if (program_.report_descriptor > 0) report_.emplace(program_.report_bytes);
  if (!isolation.control_group.empty())
    group_ = std::make_unique<ControlGroup>(isolation.control_group, program_.limits);
  start(isolation);
}

void SandboxedProcess::start(const Isolation& isolation) {
  auto [info, info_writer] = make_pipe();
  auto [gate_reader, gate] = make_pipe();
  info_ = std::move(info), gate_ = std::move(gate);
  ::fcntl(info_.value(), F_SETFL, O_NONBLOCK);
  std::vector<Descriptor> contents;
  contents.push_back(memory_file(program_.input));
  SpawnRequest request;
  request.descriptors = {{contents[0].value(), 0}, {out_.writer().value(), 1}, {err_.writer().value(), 2}};
  if (report_) request.descriptors.emplace_back(report_->writer().value(), program_.report_descriptor);
  for (const HandedDescriptor& handed : program_.descriptors)
    request.descriptors.emplace_back(handed.descriptor.value(), handed.number);
  int number = first_plumbing;
  const auto add = [&](const Descriptor& descriptor) {
    request.descriptors.emplace_back(descriptor.value(), number);
    return number++;
  };
  SandboxPlumbing plumbing{.info = add(info_writer), .gate = gate_number, .files = {}};
  request.descriptors.emplace_back(gate_reader.value(), gate_number);
  if (isolation.filter) {
    contents.push_back(memory_file(system_call_filter()));
    plumbing.filter = add(contents.back());
  }
  for (const SandboxFile& file : program_.files) {
    contents.push_back(memory_file(file.content));
    plumbing.files.push_back(add(contents.back()));
  }
  request.command = bubblewrap_command(isolation, program_, plumbing);
  request.control_group = group_ ? group_->processes_file() : -1;
  request.drop_user = isolation.drop_user;
  bubblewrap_ = spawn(request);
  bubblewrap_handle_ = open_process(bubblewrap_);
  // Only the program keeps these ends, so that a pipe ends when it does.
  out_.writer().close(), err_.writer().close();
  if (report_) report_->writer().close();
  program_.descriptors.clear();
  program_.input.clear(), program_.files.clear();
}

bool SandboxedProcess::prepare() {
  started_ = watched_ = Clock::now();
  const auto deadline = started_ + preparation_time;
  if (!bubblewrap_handle_) return fail_to_prepare("the system has no pidfd_open (Linux 5.3)");
  return wait_for_first_process(deadline) && wait_for_folders(deadline);
}

bool SandboxedProcess::wait_for_first_process(Clock::time_point deadline) {
  while (Clock::now() < deadline) {
    pollfd polled[] = {{info_.value(), POLLIN, 0}};
    ::poll(polled, 1, 100);
    char buffer[4096];
    const ssize_t size = ::read(info_.value(), buffer, sizeof buffer);
    if (size > 0) info_text_.append(buffer, static_cast<size_t>(size));
    // The number it tells is one of its own namespace.
    if (info_text_.find('}') != std::string::npos) {
      first_process_ = child_of(bubblewrap_);
      return first_process_ > 0 ||
             fail_to_prepare("its first process cannot be found (CONFIG_PROC_CHILDREN)");
    }
    if (size == 0) break;
  }
  return fail_to_prepare("bubblewrap has started no process");
}

bool SandboxedProcess::wait_for_folders(Clock::time_point deadline) {
  const std::string root = fmt::format("/proc/{}/root", first_process_);
  while (!has_own(root, "/tmp") || !has_own(root, "/dev/shm")) {
    pollfd polled[] = {{bubblewrap_handle_.value(), POLLIN, 0}};
    if (::poll(polled, 1, 0) > 0) return fail_to_prepare("bubblewrap has ended");
    if (Clock::now() > deadline) return fail_to_prepare("its folders did not appear");
    std::this_thread::sleep_for(std::chrono::microseconds(300));
  }
  const auto open_folder = [&](const char* path) {
    return Descriptor(::open((root + path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  };
  disks_.push_back(open_folder("/tmp"));
  disks_.push_back(open_folder("/dev/shm"));
  tree_ = std::make_unique<TreeWatch>(open_folder("/proc"));
  const TreeUsage usage = tree_->usage();
  if (!disks_[0] || !disks_[1] || usage.tasks == 0)
    return fail_to_prepare("its folders /tmp, /dev/shm and /proc cannot be watched");
  result_.peak_memory = usage.memory_bytes;
  return true;
}

// What bubblewrap complains of is on its standard error.
bool SandboxedProcess::fail_to_prepare(const std::string& what) {
  kill();
  reap(true);
  const std::string complaint = err_.take().text;
  result_.ending = SandboxEnding::not_started;
  result_.reason = "the sandbox cannot be set up: " + (complaint.empty() ? what : complaint);
  while (result_.reason.ends_with('\n')) result_.reason.pop_back();
  return false;
}

void SandboxedProcess::release() {
  started_ = watched_ = Clock::now();
  // Its reader waits, or the process is gone and tend() notices; a broken pipe must not end ours.
  const BlockedSignal blocked(SIGPIPE);
  if (::write(gate_.value(), "\n", 1) != 1) stop(SandboxEnding::not_started, "it ended before its start");
  gate_.close();
}

}  // namespace fathom
