// Runs the built program under ptrace and stops it at every system call that changes files, where a test may
// kill it or let the call fail. x86-64 only, and only where ptrace is permitted (can_trace()).
#pragma once
#include <functional>
#include <string>
#include <vector>

namespace fathom::testing {

bool can_trace();

struct FileCall {
  int index;    // among the calls of this run that change files, from 0
  long number;  // SYS_...
  unsigned long arguments[6];
};

struct Action {
  enum Kind { proceed, kill, fail } kind = proceed;
  int error = 0;  // for fail: the errno that the program sees; the call is not made
};

struct TracedRun {
  int exit_code;  // 128 + n: ended by signal n
  int file_calls;
  std::string out, err;
};

// `decide` is asked before each call that changes files; without it the program runs untraced. Returns once
// every thread of the program has ended.
TracedRun run_traced(const std::vector<std::string>& arguments,
                     const std::function<Action(const FileCall&)>& decide);

}  // namespace fathom::testing
