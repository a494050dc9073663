// A Python script of the tests that serves HTTP on this machine until its input ends. It prints its port
// first.
#pragma once
#include <string>
#include <utility>
#include <vector>

#include "align/rewards/child_process.h"
#include "base/error.h"
#include "support/paths.h"

namespace fathom::testing {

class PythonServer {
 public:
  // The script, below the project's folder, and its arguments.
  explicit PythonServer(std::vector<std::string> script) : process_(command(std::move(script))) {
    std::string_view nothing;
    for (int i = 0; i < 200 && port_.find('\n') == std::string::npos; ++i)
      process_.exchange(nothing, port_, 0.1);
    check(port_.ends_with('\n'), "the server does not start");
    port_.pop_back();
  }
  // Without a path.
  std::string url() const { return "http://127.0.0.1:" + port_; }

 private:
  static std::vector<std::string> command(std::vector<std::string> script) {
    script[0] = source_dir() + "/" + script[0];
    script.insert(script.begin(), "python3");
    return script;
  }

  ChildProcess process_;
  std::string port_;
};

}  // namespace fathom::testing
