// One program for the sandbox, and what became of it.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "io/descriptor.h"
#include "sandbox/limits.h"

namespace fathom {

// A file the program finds at `path` (absolute), which it can read and not change.
struct SandboxFile {
  std::string path, content;
  bool executable = false;
};

// A descriptor of ours that the program has as `number`; ours is closed once the program has it.
struct HandedDescriptor {
  Descriptor descriptor;
  int number;  // 3..8
};

struct SandboxProgram {
  std::vector<std::string> command;      // command[0] is a path inside the sandbox
  std::vector<std::string> environment;  // "NAME=value": all of it, nothing is inherited
  std::vector<SandboxFile> files;
  std::string input;  // standard input
  std::vector<HandedDescriptor> descriptors;
  int report_descriptor = 0;  // 3..8: a further output, kept apart in SandboxResult::report; 0: none
  int64_t report_bytes = int64_t{1} << 20;
  SandboxLimits limits;
};

enum class SandboxEnding {
  exited,     // by itself, or by a signal of its own doing
  wall_time,  // stopped at this limit, as the next five
  cpu_time,
  memory,
  processes,
  disk,
  output,
  stopped,      // the program it ran together with has ended
  interrupted,  // Ctrl-C or the like
  not_started,  // the sandbox could not be set up; `reason` says why
};
// "ended", "ran out of time", ...
std::string_view to_string(SandboxEnding ending);

struct CapturedOutput {
  std::string text;
  int64_t dropped = 0;  // bytes beyond the limit, which were thrown away
};

struct SandboxResult {
  SandboxEnding ending = SandboxEnding::not_started;
  int exit_code = -1;  // when `exited`; 128 + n: signal n ended it (or it chose that code)
  std::string reason;  // in words, when not `exited`
  CapturedOutput out, err, report;
  double wall_seconds = 0, cpu_seconds = 0;
  int64_t peak_memory = 0;  // bytes, as sampled; resident pages that processes share count once for each
};

}  // namespace fathom
