// The judge against published tests: every solution of HumanEval and MBPP passes its own, and does not pass
// with its body broken. The files are not part of the project: without them the tests are skipped.
#include <algorithm>
#include <filesystem>
#include <thread>

#include "io/json.h"
#include "io/lines.h"
#include "sandbox/code_test.h"
#include "sandbox/sandboxed.h"
#include "support/paths.h"

namespace fathom::testing {
namespace {

namespace fs = std::filesystem;

bool data_is_given() {
  const char* given = std::getenv("FATHOM_EVAL_DATA");
  return given && *given;
}

// FATHOM_EVAL_DATA, or data/eval/ of a folder "shared" beside the project.
std::string shared_file(const std::string& name) {
  const fs::path folder = data_is_given() ? fs::path(std::getenv("FATHOM_EVAL_DATA"))
                                          : fs::path(source_dir()) / "../shared/data/eval";
  return (folder / name).string();
}

std::vector<Json> read_rows(const std::string& path) {
  LineReader lines(path);
  std::vector<Json> rows;
  for (std::string line; lines.next(line);) rows.push_back(parse_json(line, path));
  return rows;
}

CodeTest humaneval(const Json& row, const std::string& completion) {
  CodeTest test;
  test.id = row.at("task_id");
  test.given = row.at("prompt");
  test.program = test.given + completion;
  test.entry_point = row.at("entry_point");
  test.tests = {row.at("test").get<std::string>()};
  test.limits.wall_seconds = 30;
  return test;
}

CodeTest mbpp(const Json& row, const std::string& program) {
  CodeTest test;
  test.style = CodeStyle::asserts;
  test.id = row.at("task_id").dump();
  test.program = program;
  for (const Json& line : row.value("test_imports", Json::array()))
    test.given += line.get<std::string>() + "\n";
  test.given += row.value("test_setup_code", "");
  test.tests = row.at("test_list").get<std::vector<std::string>>();
  test.limits.wall_seconds = 30;
  return test;
}

// All of them where the data was asked for; else every fourth, to stay quick.
std::vector<CodeTest> some_of(std::vector<CodeTest> tests) {
  if (data_is_given()) return tests;
  std::vector<CodeTest> some;
  for (size_t i = 0; i < tests.size(); i += 4) some.push_back(std::move(tests[i]));
  return some;
}

std::vector<CodeVerdict> judged(const std::vector<CodeTest>& tests) {
  const int workers = static_cast<int>(std::max(2u, std::thread::hardware_concurrency()));
  return run_code_tests(shared_sandbox(), tests, workers);
}

void expect_all_pass(const std::vector<CodeTest>& tests) {
  for (const CodeVerdict& verdict : judged(tests)) {
    EXPECT_TRUE(verdict.passed()) << verdict.id << ": " << to_string(verdict.ending) << ": " << verdict.text;
    EXPECT_EQ(verdict.tests_passed, verdict.tests_total) << verdict.id;
  }
}

void expect_none_passes(const std::vector<CodeTest>& tests) {
  for (const CodeVerdict& verdict : judged(tests)) {
    EXPECT_FALSE(verdict.passed()) << verdict.id;
    EXPECT_TRUE(verdict.scored()) << verdict.id << ": " << verdict.text;
  }
}

#define FATHOM_NEEDS_SHARED_FILE(path) \
  if (!fs::exists(path))               \
  GTEST_SKIP() << path << " is not there; FATHOM_EVAL_DATA may name its folder"

TEST(Benchmarks, EveryHumanEvalSolutionPasses) {
  FATHOM_NEEDS_SANDBOX();
  const std::string path = shared_file("humaneval/HumanEval.jsonl.gz");
  FATHOM_NEEDS_SHARED_FILE(path);
  std::vector<CodeTest> tests;
  for (const Json& row : read_rows(path)) tests.push_back(humaneval(row, row.at("canonical_solution")));
  ASSERT_EQ(tests.size(), 164u);
  expect_all_pass(some_of(std::move(tests)));
}

// Of every eighth task.
TEST(Benchmarks, NoBrokenHumanEvalBodyPasses) {
  FATHOM_NEEDS_SANDBOX();
  const std::string path = shared_file("humaneval/HumanEval.jsonl.gz");
  FATHOM_NEEDS_SHARED_FILE(path);
  const char* bodies[] = {"    return None\n", "    pass\n", "    raise ValueError\n",
                          "    import sys; sys.exit(0)\n"};
  std::vector<CodeTest> tests;
  int number = 0;
  for (const Json& row : read_rows(path))
    if (number++ % 8 == 0) tests.push_back(humaneval(row, bodies[number / 8 % 4]));
  expect_none_passes(tests);
}

TEST(Benchmarks, MbppSolutionsPassAndOthersDoNot) {
  FATHOM_NEEDS_SANDBOX();
  const std::string path = shared_file("mbpp/mbpp.first60.jsonl");
  const std::string sanitized = shared_file("mbpp/sanitized-mbpp.first60.json");
  FATHOM_NEEDS_SHARED_FILE(path);
  FATHOM_NEEDS_SHARED_FILE(sanitized);
  std::vector<Json> rows = read_rows(path);
  for (const Json& row : read_json(sanitized))
    if (!row.at("test_imports").empty()) rows.push_back(row);
  std::vector<CodeTest> right, wrong;
  for (size_t i = 0; i < rows.size(); ++i) {
    right.push_back(mbpp(rows[i], rows[i].at("code")));
    // The solution of another task.
    if (i % 8 == 0) wrong.push_back(mbpp(rows[i], rows[(i + 1) % rows.size()].at("code")));
  }
  expect_all_pass(some_of(std::move(right)));
  expect_none_passes(wrong);
}

}  // namespace
}  // namespace fathom::testing
