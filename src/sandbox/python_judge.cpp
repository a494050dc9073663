#include "sandbox/python_judge.h"

#include <algorithm>

#include "base/error.h"
#include "io/json.h"
#include "sandbox/judge_report.h"
#include "sandbox/pipe.h"
#include "sandbox/python_files.h"

namespace fathom {
namespace {

std::string request_of(const CodeTest& test) {
  const Json request = {{"style", test.style == CodeStyle::check ? "check" : "asserts"},
                        {"tests", test.tests},
                        {"entry_point", test.entry_point},
                        {"given", test.given},
                        {"objects", test.objects}};
  return request.dump(-1, ' ', false, Json::error_handler_t::replace);
}

// No -O and no environment: nothing turns asserts off.
std::vector<std::string> python_command(const Sandbox& sandbox, const std::string& file) {
  return {sandbox.options().python, "-I", "-B", "-X", "utf8", file};
}

SandboxProgram judge_program(const Sandbox& sandbox, const CodeTest& test) {
  SandboxProgram judge;
  judge.command = python_command(sandbox, "/fathom/judge.py");
  for (const auto& [name, content] : {std::pair{"judge", python_files::judge},
                                      {"remote", python_files::remote},
                                      {"test_code", python_files::test_code},
                                      {"wire", python_files::wire}})
    judge.files.push_back({fmt::format("/fathom/{}.py", name), std::string(content)});
  judge.files.push_back({"/fathom/request.json", request_of(test)});
  judge.report_descriptor = 5;
  // The program's limits end a run; the judge's are for tests that do not end.
  judge.limits.wall_seconds = test.limits.wall_seconds + 5;
  judge.limits.cpu_seconds = test.limits.cpu_seconds + 5;
  judge.limits.memory_bytes = std::max(test.limits.memory_bytes, int64_t{1} << 30);
  return judge;
}

SandboxProgram tested_program(const Sandbox& sandbox, const CodeTest& test) {
  SandboxProgram program;
  program.command = python_command(sandbox, "/fathom/host.py");
  program.files = {{"/fathom/host.py", std::string(python_files::host)},
                   {"/fathom/wire.py", std::string(python_files::wire)},
                   {"/fathom/program.py", test.program}};
  program.limits = test.limits;
  return program;
}

std::string last_line(const std::string& text) {
  const size_t end = text.find_last_not_of(" \r\n");
  if (end == std::string::npos) return {};
  const size_t begin = text.find_last_of('\n', end);
  return text.substr(begin == std::string::npos ? 0 : begin + 1,
                     end - (begin == std::string::npos ? 0 : begin + 1) + 1);
}

// How it ended, and in one line why, when not everything passed.
void explain(CodeVerdict& verdict, const JudgeReport& report, const SandboxResult& judge,
             const SandboxResult& program) {
  verdict.text = report.failure;
  const bool limited = program.ending != SandboxEnding::exited && program.ending != SandboxEnding::stopped;
  if (limited) {
    verdict.ending = code_ending(program.ending), verdict.text = program.reason;
  } else if (!report.broken.empty()) {
    verdict.ending = CodeEnding::unscored, verdict.text = "the tests: " + report.broken;
  } else if (judge.ending != SandboxEnding::exited) {
    verdict.ending = code_ending(judge.ending), verdict.text = "the tests: " + judge.reason;
  } else if (report.program_error) {
    verdict.ending = CodeEnding::error;
  } else if (report.lost) {
    verdict.ending = CodeEnding::crashed;
    const std::string last = last_line(program.err.text);
    if (program.ending == SandboxEnding::exited && program.exit_code != 0)
      verdict.text = fmt::format("the program ended with exit code {}{}{}", program.exit_code,
                                 last.empty() ? "" : ": ", last);
  } else if (!report.done && report.failure.empty()) {
    // The judge itself has failed: it writes an end whatever the program does.
    verdict.ending = CodeEnding::unscored;
    verdict.text = "the judge ended early: " + last_line(judge.err.text);
  } else {
    verdict.ending = CodeEnding::wrong;
    if (verdict.text.empty()) verdict.text = "not all tests were reached";
  }
}

}  // namespace

CodeEnding code_ending(SandboxEnding ending) {
  switch (ending) {
    case SandboxEnding::wall_time:
    case SandboxEnding::cpu_time:
      return CodeEnding::time;
    case SandboxEnding::memory:
      return CodeEnding::memory;
    case SandboxEnding::output:
      return CodeEnding::output;
    case SandboxEnding::processes:
    case SandboxEnding::disk:
      return CodeEnding::resources;
    case SandboxEnding::exited:
    case SandboxEnding::stopped:
      return CodeEnding::wrong;
    case SandboxEnding::interrupted:
    case SandboxEnding::not_started:
      return CodeEnding::unscored;
  }
  return CodeEnding::unscored;
}

CodeVerdict judge_python(const Sandbox& sandbox, const CodeTest& test) {
  auto [questions_in, questions_out] = make_pipe();
  auto [answers_in, answers_out] = make_pipe();
  std::vector<SandboxProgram> programs;
  programs.push_back(judge_program(sandbox, test));
  programs.push_back(tested_program(sandbox, test));
  programs[0].descriptors.push_back({std::move(questions_out), 3});
  programs[0].descriptors.push_back({std::move(answers_in), 4});
  programs[1].descriptors.push_back({std::move(answers_out), 3});
  programs[1].descriptors.push_back({std::move(questions_in), 4});
  std::vector<SandboxResult> results = sandbox.run_together(std::move(programs));
  SandboxResult& judge = results[0];
  SandboxResult& program = results[1];
  const JudgeReport report = parse_judge_report(judge.report.text);
  CodeVerdict verdict;
  verdict.tests_passed = report.passed, verdict.tests_total = report.total;
  verdict.wall_seconds = program.wall_seconds, verdict.cpu_seconds = program.cpu_seconds;
  verdict.peak_memory = program.peak_memory;
  const bool judged = judge.ending == SandboxEnding::exited && judge.exit_code == 0;
  if (judged && report.all_passed())
    verdict.ending = CodeEnding::passed;
  else
    explain(verdict, report, judge, program);
  verdict.out = std::move(program.out.text), verdict.err = std::move(program.err.text);
  return verdict;
}

}  // namespace fathom
