// What all processes of a sandbox take together, read from outside through the sandbox's own /proc: it lists
// its namespace and nothing else, so that no process of the tree is missed, whoever its parent is.
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "io/descriptor.h"

namespace fathom {

struct TreeUsage {
  double cpu_seconds = 0;    // of living processes and of those they waited for
  int64_t memory_bytes = 0;  // resident; a page that processes share counts once for each
  int tasks = 0;             // threads of all processes
};

class TreeWatch {
 public:
  // `proc`: the folder /proc of the sandbox.
  explicit TreeWatch(Descriptor proc) : proc_(std::move(proc)) {}

  TreeUsage usage() const;
  // A closer look at the memory: anonymous and shared pages alone, shared ones split among their processes
  // where the system lets us see that.
  int64_t exact_memory() const;

 private:
  void for_each_process(const std::function<void(const std::string& id)>& body) const;
  std::string read(const std::string& path) const;

  Descriptor proc_;
};

// The parts of usage() that one process's "stat" line gives; nothing if it is not such a line.
std::optional<TreeUsage> parse_process_stat(const std::string& line);
// Sum of the named fields of "smaps_rollup" or "status" in bytes; nothing if none of them is there.
std::optional<int64_t> sum_of_fields(const std::string& text, const std::vector<std::string>& names);

// The sandbox's private file systems: bytes and files in them.
struct DiskUsage {
  int64_t bytes = 0, files = 0;
};
DiskUsage disk_usage(const std::vector<Descriptor>& folders);

}  // namespace fathom
