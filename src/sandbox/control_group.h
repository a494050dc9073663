// A cgroup v2 group of one sandbox: the kernel's own limits on the memory and the processes of a whole tree.
// It needs a folder of the cgroup file system that this process may write to.
#pragma once
#include <cstdint>
#include <string>

#include "io/descriptor.h"
#include "sandbox/limits.h"

namespace fathom {

// A folder in which groups with limits on memory and processes can be made: `given` if it is not empty, else
// this process's own group or the one above it. Empty where there is none, and `why_not` says why.
// `root` is the folder that stands for /, for tests.
std::string find_control_group(const std::string& given, std::string& why_not, const std::string& root = "");

class ControlGroup {
 public:
  // Makes a group in `folder`. Error that names the file if the system refuses.
  ControlGroup(const std::string& folder, const SandboxLimits& limits);
  ~ControlGroup();
  ControlGroup(const ControlGroup&) = delete;
  ControlGroup& operator=(const ControlGroup&) = delete;

  int processes_file() const { return processes_.value(); }
  // The kernel has killed a process of the group because its memory was at the limit.
  bool out_of_memory() const;
  double cpu_seconds() const;
  int64_t peak_memory() const;  // 0 on kernels before 5.19
  void kill() const;

 private:
  std::string path_;
  Descriptor processes_;
};

}  // namespace fathom
