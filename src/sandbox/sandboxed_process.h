// One program in its sandbox, from the start of bubblewrap to the end of the last process. A caller prepares
// it, releases it, then tends it until it has ended.
#pragma once
#include <poll.h>
#include <sys/types.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sandbox/capture.h"
#include "sandbox/control_group.h"
#include "sandbox/isolation.h"
#include "sandbox/program.h"
#include "sandbox/tree_watch.h"

namespace fathom {

class SandboxedProcess {
 public:
  // Starts bubblewrap, which sets up the sandbox and waits. Error if the system refuses.
  SandboxedProcess(const Isolation& isolation, SandboxProgram program);
  // Whatever still runs is killed and waited for.
  ~SandboxedProcess();
  SandboxedProcess(const SandboxedProcess&) = delete;
  SandboxedProcess& operator=(const SandboxedProcess&) = delete;

  // Waits until the sandbox stands. False if it does not come to that; result() then says why.
  bool prepare();
  // The program starts, and its time begins.
  void release();
  // What wakes a caller of poll().
  void add_polled(std::vector<pollfd>& polled) const;
  // Reads output, checks the limits, notices the end.
  void tend();
  // Kills everything; the first reason given stays.
  void stop(SandboxEnding ending, const std::string& reason);
  bool ended() const { return ended_; }
  // Once it has ended.
  SandboxResult result();

 private:
  using Clock = std::chrono::steady_clock;

  void start(const Isolation& isolation);
  bool wait_for_first_process(Clock::time_point deadline);
  bool wait_for_folders(Clock::time_point deadline);
  bool fail_to_prepare(const std::string& what);
  void read_outputs();
  void check_limits();
  void check_tree();
  void check_memory(int64_t resident, int64_t on_disk);
  void kill();
  void reap(bool wait);
  void drain_outputs();

  SandboxProgram program_;
  std::unique_ptr<ControlGroup> group_;
  Capture out_, err_;
  std::optional<Capture> report_;
  Descriptor info_, gate_;  // our ends
  std::string info_text_;
  pid_t bubblewrap_ = -1;
  Descriptor bubblewrap_handle_;  // a pidfd
  pid_t first_process_ = -1;      // process 1 of the sandbox
  std::unique_ptr<TreeWatch> tree_;
  std::vector<Descriptor> disks_;
  Clock::time_point started_, watched_;
  bool ended_ = false, stopping_ = false;
  SandboxResult result_;
};

}  // namespace fathom
