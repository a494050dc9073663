// Programs that are wrong and want to pass all the same. Each does something that has made other judges say
// "passed"; the function itself is never right.
#include "sandbox/code_test.h"
#include "sandbox/sandboxed.h"

namespace fathom::testing {
namespace {

struct Forgery {
  const char* name;
  const char* program;
};

const Forgery forgeries[] = {
    {"ExitCodeZero", "import sys\ndef f(x): sys.exit(0)"},
    {"ExitCodeZeroWhileLoading", "import sys\nsys.exit(0)"},
    {"HardExit", "import os\ndef f(x): os._exit(0)"},
    {"RaisesSystemExit", "def f(x): raise SystemExit"},
    {"AtExit", R"(
import atexit, os
def shout():
    for fd in range(3, 64):
        try: os.write(fd, b'{"total": 3}\n{"passed": 0}\n{"passed": 1}\n{"passed": 2}\n{"done": true}\n')
        except OSError: pass
    os._exit(0)
atexit.register(shout)
def f(x): raise SystemExit)"},
    {"WritesToEveryDescriptor", R"(
import os
for fd in range(0, 64):
    try: os.write(fd, b'{"total": 3}\n{"passed": 0}\n{"passed": 1}\n{"passed": 2}\n{"done": true}\n')
    except OSError: pass
def f(x): return 0)"},
    {"PrintsTheVerdict", R"(
print('{"total": 3}\n{"passed": 0}\n{"passed": 1}\n{"passed": 2}\n{"done": true}')
print('passed')
def f(x): return 0)"},
    {"EqualToEverything", R"(
class Any(int):
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    def __hash__(self): return 0
def f(x): return Any())"},
    {"EqualToEverythingAsAnObject", R"(
class Any:
    def __eq__(self, other): return True
    def __sub__(self, other): return 0
    def __rsub__(self, other): return 0
    def __abs__(self): return 0
    def __lt__(self, other): return True
    def __getattr__(self, name): return lambda *a: True
def f(x): return Any())"},
    {"PatchesBuiltins", R"(
import builtins
builtins.AssertionError = type('Quiet', (BaseException,), {})
builtins.abs = lambda x: 0
builtins.len = lambda x: 0
builtins.isinstance = lambda *a: True
def abs(x): return 0
def check(candidate): pass
def f(x): return 0)"},
    {"PatchesTheHost", R"(
import sys
main = sys.modules['__main__']
main.Host.answer = lambda self, request: {'value': True}
main.Host.names = lambda self, wanted: {n: f for n in wanted}
def f(x): return True)"},
    {"NamesWhatItWasNotAskedFor", R"(
import sys
wire = sys.modules['wire']
def answer(self, request):
    if request[0] == 'names':
        return {'value': {'dict': [[n, {'object': [0, True]}] for n in ('f', 'abs', 'check', '__builtins__', '__fathom_test__')]}}
    return {'value': 0}
sys.modules['__main__'].Host.answer = answer
def f(x): return 0)"},
    {"SendsNonsense", R"(
import os
def f(x):
    os.write(3, b'\x00\x00\x00\x05{"va"')
    os.write(3, b'\x00\x00\x00\x02{}')
    return 0)"},
    {"SendsAHugeLength", "import os\ndef f(x): os.write(3, b'\\xff\\xff\\xff\\xff')"},
    {"SendsDeepNesting",
     "import os, struct\ndef f(x):\n    data = b'[' * 100000\n    os.write(3, struct.pack('>I', len(data)) + "
     "data)"},
    {"SendsUnknownTags", R"(
import os, struct, json
def f(x):
    for value in ({'eval': '1'}, {'type': 'eval'}, {'given': 0}, {'given': [1]}, {'object': 'x'}, {'module': 'os.path'}, {'fraction': [1, 0]}, {'tuple': 3}):
        data = json.dumps({'value': value}).encode()
        os.write(3, struct.pack('>I', len(data)) + data))"},
    {"CallsBackIntoTheTests", R"(
import os, struct, json
def f(x):
    for number in range(-1, 3):
        data = json.dumps({'callback': [number, [{'object': [0, True]}], {'dict': []}]}).encode()
        os.write(3, struct.pack('>I', len(data)) + data))"},
    {"ReadsTheTests", R"(
import glob
found = {}
def f(x):
    for path in glob.glob('/fathom/*') + glob.glob('/tmp/*') + glob.glob('/proc/*/cmdline') + glob.glob('/proc/*/environ') + glob.glob('/proc/*/mem'):
        try: text = open(path, 'rb').read().decode('latin1')
        except OSError: continue
        if 'candidate(' in text and 'request' in path: return 4 if x == 2 else 6 if x == 3 else 2
    return 0)"},
    {"KillsEverything", "import os\ndef f(x):\n    os.kill(-1, 9)\n    os.kill(1, 9)"},
    {"ClosesEverything", "import os\ndef f(x):\n    os.closerange(0, 64)\n    os._exit(0)"},
    {"AnswersFromAThread", R"(
import os, struct, threading, time
def flood():
    data = b'{"value": 2}'
    while True:
        try: os.write(3, struct.pack('>I', len(data)) + data)
        except OSError: return
threading.Thread(target=flood, daemon=True).start()
def f(x): return 2)"},
    {"LeavesADaemon", R"(
import os, time
if os.fork() == 0:
    os.setsid()
    while True:
        try: os.write(3, b'\x00\x00\x00\x0e{"done": true}')
        except OSError: break
def f(x): return 0)"},
};

class Forgeries : public ::testing::TestWithParam<Forgery> {
 protected:
  void SetUp() override { FATHOM_NEEDS_SANDBOX(); }
};

CodeTest doubling(const std::string& program) {
  CodeTest test;
  test.program = program, test.entry_point = "f";
  test.tests = {R"(
def check(candidate):
    assert candidate(1) == 2
    assert abs(candidate(2) - 4) < 1e-6
    assert candidate(3) in (6, 6.0) and isinstance(candidate(3), (int, float))
)"};
  test.limits = tight_limits();
  test.limits.wall_seconds = test.limits.cpu_seconds = 2;
  return test;
}

TEST_P(Forgeries, DoNotPass) {
  const CodeVerdict verdict = run_code_test(shared_sandbox(), doubling(GetParam().program));
  EXPECT_FALSE(verdict.passed());
  EXPECT_TRUE(verdict.scored()) << verdict.text;
  EXPECT_LT(verdict.tests_passed, 3);
  EXPECT_EQ(verdict.tests_total, 3);
}

INSTANTIATE_TEST_SUITE_P(Sandbox, Forgeries, ::testing::ValuesIn(forgeries),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(Forgery, ARightProgramPassesTheSameTests) {
  FATHOM_NEEDS_SANDBOX();
  const CodeVerdict verdict = run_code_test(shared_sandbox(), doubling("def f(x): return 2 * x"));
  EXPECT_TRUE(verdict.passed()) << verdict.text;
}

TEST(Forgery, ATestThatCatchesEverythingDoesNotHideTheEnd) {
  FATHOM_NEEDS_SANDBOX();
  CodeTest test = doubling("import os\ndef f(x): os._exit(0)");
  test.tests = {"def check(candidate):\n    try:\n        assert candidate(1) == 2\n    except: pass\n"};
  EXPECT_EQ(run_code_test(shared_sandbox(), test).ending, CodeEnding::crashed);
}

TEST(Forgery, TheJudgeAndTheProgramShareNothing) {
  FATHOM_NEEDS_SANDBOX();
  // Each sandbox has its own /tmp and its own processes: the program sees 1 and 2.
  CodeTest test = doubling(
      "import os\ndef f(x): return [p for p in os.listdir('/proc') if p.isdigit()] + os.listdir('/tmp') + "
      "sorted(os.listdir('/fathom'))");
  test.tests = {
      "def check(candidate):\n    assert candidate(1) == ['1', '2', 'host.py', 'program.py', 'wire.py'], "
      "candidate(1)\n"};
  const CodeVerdict verdict = run_code_test(shared_sandbox(), test);
  EXPECT_TRUE(verdict.passed()) << verdict.text;
}

}  // namespace
}  // namespace fathom::testing
