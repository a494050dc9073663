// Runs the built program as a user would, and keeps what it printed.
#pragma once
#include <sys/wait.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include "io/file.h"
#include "support/paths.h"
#include "support/temp_dir.h"

namespace fathom::testing {

struct Outcome {
  int exit_code;  // 128 + n: ended by signal n
  std::string out, err;
};

inline Outcome run_shell(const std::string& script) {
  TempDir dir;
  const std::string command = "(" + script + "\n) >'" + (dir / "out") + "' 2>'" + (dir / "err") + "'";
  const int status = std::system(command.c_str());
  const int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return {code, read_file(dir / "out"), read_file(dir / "err")};
}

// arguments are a shell command line without the program's name; `before` may set variables or pipe something
// in.
inline Outcome run_fathom(const std::string& arguments, const std::string& before = "") {
  return run_shell(before + " " + testing::program() + " " + arguments);
}

// A failure as it should be: exit code 1, nothing on standard output, one line on standard error that says
// `what`.
inline bool is_one_clear_error(const Outcome& run, const std::string& what) {
  return run.exit_code == 1 && run.err.find(what) != std::string::npos && run.err.ends_with("\n") &&
         run.err.find('\n') == run.err.size() - 1;
}

// As is_one_clear_error(), after what was said of the work before it.
inline bool ends_with_error(const Outcome& run, const std::string& what) {
  const size_t line = run.err.rfind("fathom: ");
  return run.exit_code == 1 && run.out.empty() && line != std::string::npos &&
         run.err.find(what, line) != std::string::npos && run.err.find('\n', line) == run.err.size() - 1;
}

}  // namespace fathom::testing
