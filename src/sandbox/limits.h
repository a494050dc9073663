// What a program in the sandbox may take. A limit holds for the whole process tree unless it says otherwise.
#pragma once
#include <cstdint>

namespace fathom {

struct SandboxLimits {
  double wall_seconds = 10;  // from the program's start: neither the queue nor its preparation counts
  double cpu_seconds = 10;   // user and system time of all processes
  int64_t memory_bytes = int64_t{512} << 20;  // memory and private files together
  int processes = 32;                         // a thread counts as one
  int open_files = 64;                        // of one process
  int64_t file_bytes = int64_t{32} << 20;     // of one file
  int64_t disk_bytes = int64_t{64} << 20;     // of all files in /tmp; /dev/shm has a quarter of it
  int disk_files = 4096;                      // files and folders in both
  int64_t output_bytes = int64_t{256}
                         << 10;  // kept of each output; what comes after is thrown away and counted
  int64_t flood_bytes = int64_t{64} << 20;  // written to one output: more stops the program
};

// Error that names the limit unless each has a sensible value.
void check_limits(const SandboxLimits& limits);

}  // namespace fathom
