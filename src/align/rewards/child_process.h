// A program kept running beside this one, that reads lines and writes lines. Writing and reading go on at the
// same time, so that neither side waits for the other for ever; what it writes to standard error is read too,
// and the last of it kept. It and what it starts are one process group, which ends with it.
#pragma once
#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "io/descriptor.h"

namespace fathom {

class ChildProcess {
 public:
  // The program (found in PATH) and its arguments; no shell. Error when it cannot be started.
  explicit ChildProcess(const std::vector<std::string>& command);
  // Closes its input, gives it a second to end on its own, and then kills its group.
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  // Waits for something to do, at most so long, and does it: takes bytes off the front of `to_write`, and
  // appends what was read to `received`, up to 64 KiB. False when its output has ended.
  bool exchange(std::string_view& to_write, std::string& received, double seconds);

  // Kills the group, if it still runs, and says how the program ended: "exit code 1", "signal 9", with the
  // last line of its standard error.
  std::string end();

 private:
  void drain_errors();
  std::string outcome() const;

  pid_t pid_ = -1;
  Descriptor input_, output_, errors_;
  std::string last_errors_;
  std::optional<int> status_;  // of waitpid
};

}  // namespace fathom
