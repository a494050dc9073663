// Programs and their tests: what passes, what fails and how a verdict says so, in all three styles.
#include <chrono>

#include "sandbox/judged.h"
#include "sandbox/stdio_judge.h"
#include "support/temp_dir.h"

namespace fathom::testing {
namespace {

using ::testing::HasSubstr;

TEST_F(Judged, EveryAssertIsCountedAndTheFirstFailureTold) {
  const std::string program = "def f(x): return x * 2 if x != 3 else 0";
  CodeVerdict verdict = judged(asserts(program, {"assert f(1) == 2", "assert f(2) == 4"}));
  EXPECT_EQ(short_form(verdict), "passed 2/2") << verdict.text;
  EXPECT_TRUE(verdict.text.empty());
  verdict = judged(asserts(program, {"assert f(1) == 2", "assert f(3) == 6, 'not six'",
                                     "assert f(4) == 8\nassert f('a') == 'aa'"}));
  EXPECT_EQ(short_form(verdict), "wrong 3/4");
  EXPECT_THAT(verdict.text, HasSubstr("assert f(3) == 6, 'not six': AssertionError: not six"));
  EXPECT_GT(verdict.wall_seconds, 0);
  EXPECT_GT(verdict.peak_memory, 0);
}

TEST_F(Judged, ACheckFunctionIsTakenApart) {
  const std::string body =
      "    assert candidate(1) == 2\n    for i in range(5):\n        assert candidate(i) == 2 * i\n    "
      "assert True\n"
      "    x = candidate(7)\n    assert x == 14\n";
  EXPECT_EQ(short_form(judged(with_check("def f(x): return 2 * x", body))), "passed 3/3");
  const CodeVerdict verdict = judged(with_check("def f(x): return 2 if x == 1 else 14", body));
  EXPECT_EQ(short_form(verdict), "wrong 2/3");
  EXPECT_THAT(verdict.text, HasSubstr("assert candidate(i) == 2 * i"));
}

TEST_F(Judged, TestFunctionsAreCalled) {
  const std::string tests =
      "import math\ndef helper(x): return f(x)\ndef test_one(): assert helper(1) == 1\ndef test_two():\n    "
      "assert f(4) == math.sqrt(16)\n";
  EXPECT_EQ(short_form(judged(asserts("def f(x): return x", {tests}))), "passed 2/2");
  EXPECT_EQ(short_form(judged(asserts("def f(x): return 1", {tests}))), "wrong 1/2");
}

TEST_F(Judged, TestsThatCannotFailAreNoTests) {
  for (const std::string tests : {"assert True", "x = 1", "def helper(): assert f(1) == 2", "",
                                  "class T: pass", "if __name__ == '__main__': main()"}) {
    const CodeVerdict verdict = judged(asserts("def f(x): return x", {tests}));
    EXPECT_EQ(short_form(verdict), "unscored 0/0") << tests;
    EXPECT_THAT(verdict.text, HasSubstr("nothing in it can fail")) << tests;
  }
  EXPECT_EQ(judged(asserts("def f(x): return x", {"assert f(1) =="})).ending, CodeEnding::unscored);
  CodeTest test = with_check("def f(x): return x", "    assert candidate(1) == 1\n");
  test.given = "import no_such_module";
  EXPECT_THAT(judged(test).text, HasSubstr("no_such_module"));
  EXPECT_FALSE(judged(test).scored());
  test.given = "", test.tests = {"def checks(candidate): pass"};
  EXPECT_FALSE(judged(test).scored());
}

TEST_F(Judged, AProgramThatDoesNotGetSoFarIsAnError) {
  const std::string body = "    assert candidate(1) == 1\n";
  for (const auto& [program, what] :
       std::vector<std::pair<std::string, std::string>>{{"def f(x) return x", "SyntaxError"},
                                                        {"import no_such_module", "no_such_module"},
                                                        {"raise SystemExit(0)", "SystemExit"},
                                                        {"g = 1", "does not define f"},
                                                        {"", "does not define f"},
                                                        {"\xff", "SyntaxError"},
                                                        {std::string("a\0", 2), "null bytes"}}) {
    const CodeVerdict verdict = judged(with_check(program, body));
    EXPECT_EQ(short_form(verdict), "error 0/1") << program << verdict.text;
    EXPECT_THAT(verdict.text, HasSubstr(what)) << program;
  }
}

TEST_F(Judged, LimitsAreVerdictsAndTestsBeforeThemCount) {
  const std::string body = "    assert candidate(0) == 0\n    assert candidate(1) == 1\n";
  const auto with = [&](const std::string& action, double wall_seconds = 10) {
    CodeTest test = with_check("import os, time\ndef f(x):\n    if x == 0: return 0\n    " + action, body);
    test.limits.wall_seconds = wall_seconds;
    test.limits.cpu_seconds = 1;
    test.limits.flood_bytes = 1 << 20;
    return short_form(judged(test));
  };
  EXPECT_EQ(with("time.sleep(100)", 1.5), "time limit 1/2");
  EXPECT_EQ(with("while True: pass"), "time limit 1/2");
  EXPECT_EQ(with("x = [bytearray(b'x') * (1 << 20) for i in range(1000)]"), "memory limit 1/2");
  EXPECT_EQ(with("while True: print('x' * 10000)"), "output limit 1/2");
  EXPECT_EQ(with("for i in range(100000): open(str(i), 'w').close()"), "limit on processes or files 1/2");
  EXPECT_EQ(with("os._exit(0)"), "crashed 1/2");
  EXPECT_EQ(with("os.kill(os.getpid(), 9)"), "crashed 1/2");
  EXPECT_EQ(with("f(x)"), "wrong 1/2");  // RecursionError
}

TEST_F(Judged, TestsThatDoNotEndAreStopped) {
  CodeTest test = asserts("def f(): return 1", {"while f(): pass\nassert f() == 1"});
  test.limits.wall_seconds = 1;
  EXPECT_EQ(judged(test).ending, CodeEnding::time);
}

TEST_F(Judged, OutputIsComparedForEachInput) {
  CodeTest test;
  test.style = CodeStyle::stdio;
  test.program =
      "import sys\nif __name__ == '__main__':\n    n = int(input())\n    if n == 3: sys.exit(1)\n    print(n "
      "* 2, ' ')\n";
  test.cases = {{"1\n", "2"}, {"2", "4\n\n"}, {"7", "14  \r\n"}};
  test.limits = tight_limits();
  EXPECT_EQ(short_form(judged(test)), "passed 3/3") << judged(test).text;
  test.cases = {{"1\n", "3"}, {"2", "4"}};
  EXPECT_EQ(short_form(judged(test)), "wrong 1/2");
  EXPECT_EQ(judged(test).text, "case 1: wrote '2   ', expected '3'");
  test.cases = {{"3\n", ""}};
  EXPECT_EQ(short_form(judged(test)), "crashed 0/1");
  test.program = "while True: pass";
  test.limits.cpu_seconds = 0.3;
  test.cases = {{"", "a"}, {"", "b"}, {"", "c"}};
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(short_form(judged(test)), "time limit 0/3");
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(3));
}

TEST_F(Judged, CppIsCompiledAndRun) {
  CodeTest test;
  test.style = CodeStyle::stdio, test.language = CodeLanguage::cpp;
  test.program =
      "#include <iostream>\nint main() { int a, b; std::cin >> a >> b; std::cout << a + b << std::endl; }";
  test.cases = {{"1 2", "3"}, {"4 5", "9"}};
  test.limits = tight_limits();
  const CodeVerdict verdict = judged(test);
  if (verdict.text.find("not found") != std::string::npos) GTEST_SKIP() << "needs g++ in /usr/bin";
  EXPECT_EQ(short_form(verdict), "passed 2/2") << verdict.text;
  test.program = "int main() { return no_such_name; }";
  EXPECT_EQ(short_form(judged(test)), "error 0/2");
  EXPECT_THAT(judged(test).text, HasSubstr("no_such_name"));
}

TEST_F(Judged, VerdictsComeInTheOrderOfTheTests) {
  std::vector<CodeTest> tests;
  for (int i = 0; i < 9; ++i) {
    tests.push_back(
        asserts("import time\ndef f():\n    time.sleep(" + std::to_string(i % 3 * 0.1) + ")\n    return 1",
                {"assert f() == " + std::to_string(i % 2)}));
    tests.back().id = std::to_string(i);
  }
  const std::vector<CodeVerdict> verdicts = run_code_tests(shared_sandbox(), tests, 4);
  for (int i = 0; i < 9; ++i) {
    EXPECT_EQ(verdicts[i].id, std::to_string(i));
    EXPECT_EQ(verdicts[i].passed(), i % 2 == 1) << verdicts[i].text;
  }
}

TEST_F(Judged, WaitingForAWorkerIsNoTimeOfTheProgram) {
  std::vector<CodeTest> tests;
  for (int i = 0; i < 4; ++i) {
    tests.push_back(asserts("import time\ndef f():\n    time.sleep(0.5)\n    return 1", {"assert f() == 1"}));
    tests.back().limits.wall_seconds = 1.2;
  }
  for (const CodeVerdict& verdict : run_code_tests(shared_sandbox(), tests, 1)) {
    EXPECT_TRUE(verdict.passed()) << verdict.text;
    EXPECT_LT(verdict.wall_seconds, 1.2);
  }
}

TEST_F(Judged, WrongDescriptionsAreErrors) {
  CodeTest test = asserts("", {});
  EXPECT_THAT(error_of([&] { judged(test); }), HasSubstr("has no tests"));
  test = asserts("", {"assert f()"}), test.language = CodeLanguage::cpp;
  EXPECT_THAT(error_of([&] { judged(test); }), HasSubstr("by input and output only"));
  test = with_check("", "    pass", "");
  EXPECT_THAT(error_of([&] { judged(test); }), HasSubstr("an entry point"));
  test = asserts("", {"assert f()"}), test.limits.processes = 0;
  EXPECT_THAT(error_of([&] { judged(test); }),
              HasSubstr("sandbox limit processes must be between 1 and 100000, got 0"));
  EXPECT_THAT(error_of([&] { run_code_tests(shared_sandbox(), {}, 0); }), HasSubstr("at least one worker"));
}

TEST_F(Judged, AMissingPythonIsNoVerdictOnTheProgram) {
  SandboxOptions options;
  options.python = "/usr/bin/no-such-python";
  const CodeVerdict verdict =
      run_code_test(Sandbox(options), asserts("def f(): return 1", {"assert f() == 1"}));
  EXPECT_EQ(verdict.ending, CodeEnding::unscored);
  EXPECT_THAT(verdict.text, HasSubstr("no-such-python"));
}

TEST(SameOutput, BlanksAtTheEndsDoNotCount) {
  EXPECT_TRUE(same_output("a \nb\n\n", "a\r\nb"));
  EXPECT_TRUE(same_output("", "\n \n"));
  EXPECT_FALSE(same_output("a\n\nb", "a\nb"));
  EXPECT_FALSE(same_output(" a", "a"));
  EXPECT_FALSE(same_output("a", "a\nb"));
}

}  // namespace
}  // namespace fathom::testing
