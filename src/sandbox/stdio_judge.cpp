#include "sandbox/stdio_judge.h"

#include <algorithm>
#include <optional>

#include "base/error.h"
#include "sandbox/python_judge.h"

namespace fathom {
namespace {

// The next line without the blanks at its end; nothing once only blanks and line ends are left.
std::optional<std::string_view> next_line(std::string_view& text) {
  if (text.find_first_not_of(" \t\r\n") == std::string_view::npos) return std::nullopt;
  const size_t end = std::min(text.find('\n'), text.size());
  std::string_view line = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  line.remove_suffix(line.size() - (line.find_last_not_of(" \t\r") + 1));
  return line;
}

std::string first_lines(const std::string& text, size_t most = 300) {
  std::string line = text.substr(0, most);
  std::replace(line.begin(), line.end(), '\n', ' ');
  return line;
}

SandboxLimits compile_limits() {
  SandboxLimits limits;
  limits.wall_seconds = limits.cpu_seconds = 60;
  limits.memory_bytes = int64_t{2} << 30;
  limits.file_bytes = limits.disk_bytes = int64_t{128} << 20;
  return limits;
}

// `report` holds the executable.
SandboxResult compile(const Sandbox& sandbox, const CodeTest& test) {
  SandboxProgram compiler;
  compiler.command = {"/bin/sh", "-c",
                      "\"$0\" -std=c++20 -O2 -o /tmp/program /fathom/program.cpp && cat /tmp/program >&3",
                      sandbox.options().cxx};
  compiler.environment = {"PATH=/usr/bin:/bin"};
  compiler.files = {{"/fathom/program.cpp", test.program}};
  compiler.report_descriptor = 3;
  compiler.report_bytes = int64_t{64} << 20;
  compiler.limits = compile_limits();
  return sandbox.run(std::move(compiler));
}

bool compiled(const SandboxResult& result) {
  return result.ending == SandboxEnding::exited && result.exit_code == 0 && !result.report.text.empty();
}

CodeVerdict not_compiled(SandboxResult result, const CodeTest& test) {
  constexpr int no_such_program = 127;
  const bool ours = result.exit_code == no_such_program || code_ending(result.ending) == CodeEnding::unscored;
  CodeVerdict verdict;
  verdict.tests_total = static_cast<int>(test.cases.size());
  verdict.ending = ours ? CodeEnding::unscored : CodeEnding::error;
  verdict.text = "does not compile: " + first_lines(result.reason.empty() ? result.err.text : result.reason);
  verdict.err = std::move(result.err.text);
  return verdict;
}

SandboxProgram program_for(const Sandbox& sandbox, const CodeTest& test, const std::string& input,
                           const std::string& executable) {
  SandboxProgram program;
  if (test.language == CodeLanguage::python) {
    program.command = {sandbox.options().python, "-I", "-B", "-X", "utf8", "/fathom/program.py"};
    program.files = {{"/fathom/program.py", test.program}};
  } else {
    program.command = {"/fathom/program"};
    program.files = {{"/fathom/program", executable, true}};
  }
  program.input = input;
  program.limits = test.limits;
  return program;
}

// Empty if the case passed.
std::string failure_of(const SandboxResult& result, const CodeCase& one) {
  if (result.ending != SandboxEnding::exited) return result.reason;
  if (result.exit_code != 0)
    return fmt::format("ended with exit code {}: {}", result.exit_code, first_lines(result.err.text));
  if (result.out.dropped > 0) return "wrote more than is expected";
  if (same_output(result.out.text, one.output)) return {};
  return fmt::format("wrote '{}', expected '{}'", first_lines(result.out.text, 100),
                     first_lines(one.output, 100));
}

void add_case(CodeVerdict& verdict, SandboxResult result, const CodeCase& one, size_t number) {
  verdict.wall_seconds += result.wall_seconds, verdict.cpu_seconds += result.cpu_seconds;
  verdict.peak_memory = std::max(verdict.peak_memory, result.peak_memory);
  const std::string failure = failure_of(result, one);
  if (failure.empty()) {
    ++verdict.tests_passed;
  } else if (verdict.text.empty()) {
    verdict.text = fmt::format("case {}: {}", number, failure);
    const bool crashed = result.ending == SandboxEnding::exited && result.exit_code != 0;
    verdict.ending = crashed ? CodeEnding::crashed : code_ending(result.ending);
    verdict.out = std::move(result.out.text), verdict.err = std::move(result.err.text);
  }
}

}  // namespace

bool same_output(std::string_view got, std::string_view expected) {
  while (true) {
    const auto one = next_line(got), other = next_line(expected);
    if (one != other) return false;
    if (!one) return true;
  }
}

SandboxResult run_program(const Sandbox& sandbox, const CodeTest& test, const std::string& input) {
  SandboxResult executable;
  if (test.language == CodeLanguage::cpp) {
    executable = compile(sandbox, test);
    if (!compiled(executable)) return executable;
  }
  return sandbox.run(program_for(sandbox, test, input, executable.report.text));
}

CodeVerdict judge_stdio(const Sandbox& sandbox, const CodeTest& test) {
  SandboxResult executable;
  if (test.language == CodeLanguage::cpp) {
    executable = compile(sandbox, test);
    if (!compiled(executable)) return not_compiled(std::move(executable), test);
  }
  CodeVerdict verdict;
  verdict.tests_total = static_cast<int>(test.cases.size());
  for (size_t i = 0; i < test.cases.size(); ++i) {
    SandboxProgram program = program_for(sandbox, test, test.cases[i].input, executable.report.text);
    int64_t& kept = program.limits.output_bytes;
    kept = std::max(kept, static_cast<int64_t>(test.cases[i].output.size()) + 4096);
    SandboxResult result = sandbox.run(std::move(program));
    const SandboxEnding ending = result.ending;
    add_case(verdict, std::move(result), test.cases[i], i + 1);
    if (ending != SandboxEnding::exited) break;  // at a limit: the other cases would cost as much
  }
  if (verdict.tests_passed == verdict.tests_total) verdict.ending = CodeEnding::passed;
  return verdict;
}

}  // namespace fathom
