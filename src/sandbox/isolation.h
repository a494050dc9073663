// How programs are shut in on this machine, and the command line of bubblewrap that does it.
#pragma once
#include <string>
#include <utility>
#include <vector>

#include "sandbox/program.h"

namespace fathom {

struct Isolation {
  std::string bubblewrap;              // the path of bwrap
  bool drop_user = false;              // we are root: bubblewrap runs as nobody
  bool filter = true;                  // system calls are filtered
  std::string control_group;           // a cgroup v2 folder for the groups of the programs; empty: none
  std::vector<std::string> read_only;  // further paths of the machine that programs can read
};

// Numbers that descriptors have in bubblewrap's process.
struct SandboxPlumbing {
  int info;                // bubblewrap writes its first process's id here
  int gate;                // one digit; the program starts when a line can be read here
  int filter = -1;         // to read the filter from
  std::vector<int> files;  // one for each of the program's files
};

std::vector<std::string> bubblewrap_command(const Isolation& isolation, const SandboxProgram& program,
                                            const SandboxPlumbing& plumbing);

}  // namespace fathom
