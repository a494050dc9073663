// fathom sandbox: what this machine can enforce on generated code; with --run, one program and its verdict.
#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>
#include <string>

#include "base/error.h"
#include "base/interrupt.h"
#include "base/progress.h"
#include "cli/commands.h"
#include "cli/flags.h"
#include "cli/standard_streams.h"
#include "io/file.h"
#include "sandbox/code_block.h"
#include "sandbox/code_test.h"
#include "sandbox/stdio_judge.h"

namespace fathom {
namespace {

struct Options {
  SandboxOptions sandbox;
  std::string run, tests, entry_point, given, input, output;
  bool answer = false, objects = false;
  int64_t memory_mb = 512, disk_mb = 64;
  SandboxLimits limits;
};

std::string table(const SandboxAbilities& abilities) {
  std::string text;
  for (const SandboxAbility& row : abilities.rows)
    text += fmt::format("{:<22}{:<15}{}\n", row.name, to_string(row.enforced), row.how);
  return text;
}

void show_abilities(const Options& options) {
  const SandboxAbilities abilities = find_sandbox_abilities(options.sandbox);
  write_output(table(abilities));
  if (!abilities.can_run)
    print_output("\nNothing can be run here: {}\n", abilities.missing());
  else if (!abilities.missing().empty())
    print_output("\nPrograms run here with --allow-weak only: {}\n", abilities.missing());
}

bool is_cpp(const std::string& path) {
  const std::string ending = std::filesystem::path(path).extension().string();
  return ending == ".cpp" || ending == ".cc" || ending == ".cxx";
}

std::string program_text(const Options& options) {
  std::string text = read_file(options.run);
  if (!options.answer) return text;
  const auto block = code_block(text, is_cpp(options.run) ? "cpp" : "python");
  check(block.has_value(), "{}: holds no block of code", options.run);
  return block->code;
}

CodeTest code_test(const Options& options) {
  CodeTest test;
  test.id = options.run;
  test.language = is_cpp(options.run) ? CodeLanguage::cpp : CodeLanguage::python;
  test.program = program_text(options);
  test.entry_point = options.entry_point;
  test.limits = options.limits;
  test.objects = options.objects;
  if (!options.given.empty()) test.given = read_file(options.given);
  if (!options.tests.empty()) {
    test.tests = {read_file(options.tests)};
    test.style = options.entry_point.empty() ? CodeStyle::asserts : CodeStyle::check;
    const bool defines_check = test.tests[0].find("def check(") != std::string::npos;
    if (!defines_check) test.style = CodeStyle::asserts;
  } else {
    test.style = CodeStyle::stdio;
    test.cases = {{options.input.empty() ? "" : read_file(options.input),
                   options.output.empty() ? "" : read_file(options.output)}};
  }
  return test;
}

std::string use(double wall, double cpu, int64_t memory) {
  return fmt::format("{:.2f} s, {:.2f} s of processor time, peak {}", wall, cpu,
                     human_bytes(static_cast<double>(memory)));
}

void run_tested(const Options& options) {
  const Sandbox sandbox(options.sandbox);
  const CodeTest test = code_test(options);
  const CodeVerdict verdict = run_code_test(sandbox, test);
  write_message(verdict.err);
  print_output("{}: {}, {} of {} tests passed{}{}\n", options.run, to_string(verdict.ending),
               verdict.tests_passed, verdict.tests_total, verdict.text.empty() ? "" : "; ", verdict.text);
  print_output("{}\n", use(verdict.wall_seconds, verdict.cpu_seconds, verdict.peak_memory));
  check(verdict.passed(), "{}: did not pass", options.run);
}

// Without tests: its output, and how it ended.
void run_alone(const Options& options) {
  const Sandbox sandbox(options.sandbox);
  const CodeTest test = code_test(options);
  const SandboxResult result = run_program(sandbox, test, test.cases[0].input);
  write_output(result.out.text);
  write_message(result.err.text);
  if (result.out.dropped + result.err.dropped > 0)
    print_message("{} bytes of output were thrown away\n", result.out.dropped + result.err.dropped);
  const bool exited = result.ending == SandboxEnding::exited;
  print_message("{}: {}; {}\n", options.run,
                exited ? fmt::format("exit code {}", result.exit_code) : result.reason,
                use(result.wall_seconds, result.cpu_seconds, result.peak_memory));
  check(exited && result.exit_code == 0, "{}: {}", options.run,
        exited ? fmt::format("ended with exit code {}", result.exit_code) : result.reason);
}

void run(Options options) {
  if (options.run.empty()) return show_abilities(options);
  options.limits.memory_bytes = options.memory_mb << 20;
  options.limits.disk_bytes = options.disk_mb << 20;
  catch_interrupts();
  options.tests.empty() && options.output.empty() ? run_alone(options) : run_tested(options);
}

void add_limit_flags(CLI::App& command, Options& options) {
  SandboxLimits& limits = options.limits;
  add_number<double>(command, "--wall", limits.wall_seconds, "seconds", {.low = 0.01, .high = 86400});
  add_number<double>(command, "--cpu", limits.cpu_seconds, "seconds of processor time",
                     {.low = 0.01, .high = 86400});
  add_number<int64_t>(command, "--memory", options.memory_mb, "MiB of all its processes",
                      {.low = 16, .high = 1 << 20});
  add_number<int64_t>(command, "--disk", options.disk_mb, "MiB of its private files",
                      {.low = 1, .high = 1 << 20});
  add_number<int>(command, "--processes", limits.processes, "processes and threads",
                  {.low = 1, .high = 100000});
  add_number<int64_t>(command, "--output-bytes", limits.output_bytes, "kept of what it prints",
                      {.low = 0, .high = 1 << 30});
}

}  // namespace

void add_sandbox(CLI::App& app) {
  const auto options = std::make_shared<Options>();
  CLI::App* command =
      app.add_subcommand("sandbox", "Run generated code shut in; what this machine can enforce");
  CLI::Option* file = command->add_option("--run", options->run, "a program to run (.py, or .cpp)");
  const auto add = [&](const std::string& names, std::string& value, const std::string& help) {
    return command->add_option(names, value, help)->needs(file);
  };
  CLI::Option* tests =
      add("--tests", options->tests, "Python: check(candidate), statements with asserts, or test functions");
  add("--entry-point", options->entry_point, "the function that is tested")->needs(tests);
  add("--given", options->given, "Python that the tests build on")->needs(tests);
  add("--input", options->input, "a file for its standard input")->excludes(tests);
  add("--expect", options->output, "a file with the output that is right")->excludes(tests);
  command
      ->add_flag("--answer", options->answer, "the file is a model's answer: its last block of code is run")
      ->needs(file);
  command->add_flag("--objects", options->objects, "tests may call methods of the program's objects")
      ->needs(tests);
  add_limit_flags(*command, *options);
  command->add_flag("--allow-weak", options->sandbox.allow_weak, "run although something cannot be enforced");
  command->add_option("--bwrap", options->sandbox.bubblewrap, "path of bubblewrap's program");
  command->add_option("--control-group", options->sandbox.control_group,
                      "a cgroup v2 folder to make groups in");
  command->add_option("--read-only", options->sandbox.read_only, "a further path that programs can read");
  command->add_option("--python", options->sandbox.python, "Python for programs and tests")
      ->capture_default_str();
  command->add_option("--cxx", options->sandbox.cxx, "compiler for C++")->capture_default_str();
  command->callback([options] { run(*options); });
}

}  // namespace fathom
