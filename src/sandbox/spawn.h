// Starts a process that has exactly the descriptors it is meant to have, an empty environment, no signal
// settings of ours, and a session of its own. It is process 1 of a pid namespace: when it ends, all that came
// from it has ended, and was waited for. The kernel kills it when the thread that started it ends.
#pragma once
#include <sys/types.h>

#include <string>
#include <utility>
#include <vector>

namespace fathom {

struct SpawnRequest {
  std::vector<std::string> command;              // command[0] is a path
  std::vector<std::pair<int, int>> descriptors;  // (ours, its number in the child): all that the child has
  int control_group = -1;                        // cgroup.procs of the group it joins, open for writing
  bool drop_user = false;                        // it runs as nobody; we are root
};

// Memory is not copied, so that a process of any size can start one. Error if that fails.
pid_t spawn(const SpawnRequest& request);

}  // namespace fathom
