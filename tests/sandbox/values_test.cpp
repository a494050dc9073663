// What crosses between the tests and the program: values, functions, exceptions, objects, names.
#include "sandbox/judged.h"

namespace fathom::testing {
namespace {

using ::testing::HasSubstr;

TEST_F(Judged, ValuesOfAllKindsCrossUnchanged) {
  const std::string values[] = {"None",
                                "True",
                                "-1",
                                "2 ** 200",
                                "-(2 ** 63)",
                                "0.1",
                                "1e308",
                                "1 + 2j",
                                "'text \\ud800 \\x00 \\u20ac'",
                                "b'\\x00\\xff'",
                                "bytearray(b'x')",
                                "[]",
                                "[[1], [2, [3]]]",
                                "()",
                                "(1,)",
                                "(1, (2, [3]))",
                                "{}",
                                "{1: 'a', (2, 3): [4]}",
                                "{1, 2}",
                                "frozenset({(1, 2)})",
                                "range(2, 10, 3)",
                                "Ellipsis",
                                "int",
                                "[ValueError, list]",
                                "__import__('collections').deque([1, 2], 3)",
                                "__import__('collections').Counter('aab')",
                                "__import__('fractions').Fraction(1, 3)",
                                "__import__('decimal').Decimal('1.10')",
                                "__import__('datetime').datetime(2020, 1, 2, 3, 4, 5, 6)",
                                "__import__('datetime').date(2020, 1, 2)",
                                "__import__('datetime').timedelta(1, 2, 3)"};
  std::vector<std::string> tests;
  for (const std::string& value : values)
    tests.push_back("x = " + value +
                    "\nassert same(x) == x and type(same(x)) is type(x) and repr(same(x)) == repr(x)");
  const CodeVerdict verdict = judged(asserts("def same(x): return x", tests));
  EXPECT_TRUE(verdict.passed()) << verdict.text;
  EXPECT_TRUE(
      judged(asserts("def nan(): return float('nan')", {"import math\nassert math.isnan(nan())"})).passed());
}

TEST_F(Judged, ResultsThatActLikeOthersCompareAsTheyDo) {
  const std::string program = R"(
import collections, enum
Point = collections.namedtuple('Point', 'x y')
class Color(enum.IntEnum): red = 1
def point(): return Point(1, 2)
def counts(): 
    d = collections.defaultdict(int); d['a'] += 1
    return d
def color(): return Color.red
def squares(n):
    for i in range(n): yield i * i
def lazily(): return map(str, [1, 2])
def adder(n): return lambda x: x + n
)";
  const CodeVerdict verdict =
      judged(asserts(program, {"assert point() == (1, 2)", "assert counts() == {'a': 1}",
                               "assert color() == 1", "assert list(squares(4)) == [0, 1, 4, 9]",
                               "assert sum(squares(4)) == 14 and 9 in squares(4) and 8 not in squares(4)",
                               "assert list(lazily()) == ['1', '2']", "assert adder(2)(3) == 5",
                               "assert sorted(squares(3), reverse=True)[0] == 4"}));
  EXPECT_TRUE(verdict.passed()) << verdict.text;
}

TEST_F(Judged, ArgumentsAreWhatTheTestsMakeOfThem) {
  const std::string program = R"(
def apply(f, *args, **kwargs): return f(*args, **kwargs)
def sort(x): x.sort()
def total(x): return sum(x)
def catch(f):
    try: f()
    except KeyError: return 'caught'
)";
  const CodeVerdict verdict = judged(asserts(
      program, {"assert apply(lambda x, y=0: x - y, 5, y=2) == 3",
                "assert apply(len, 'abc') == 3 and apply(str.upper, 'a') == 'A'",
                "import math\nassert apply(math.floor, 2.5) == 2 and apply(int, '7') == 7",
                "x = [3, 1, 2]\nsort(x)\nassert x == [1, 2, 3]", "assert total(i for i in range(4)) == 6",
                "def fail(): raise KeyError(1)\nassert catch(fail) == 'caught'",
                "class A: pass\na = A()\nassert apply(lambda x: x, a) is a",
                "calls = []\napply(lambda: calls.append(1))\nassert calls == [1]"}));
  EXPECT_TRUE(verdict.passed()) << verdict.text;
}

TEST_F(Judged, ExceptionsKeepTheirKind) {
  const std::string program = R"(
class Mine(ValueError): pass
def f(x):
    if x == 0: raise ZeroDivisionError('zero')
    if x == 1: raise Mine('mine')
    if x == 2: raise SystemExit(0)
    raise KeyboardInterrupt)";
  const auto raises = [](int x, const std::string& kind) {
    return fmt::format("try:\n    f({})\nexcept {} as e: pass\nelse: raise AssertionError", x, kind);
  };
  const CodeVerdict verdict = judged(
      asserts(program, {raises(0, "ZeroDivisionError"), raises(1, "ValueError"), raises(2, "SystemExit"),
                        raises(3, "KeyboardInterrupt"), raises(2, "Exception")}));
  EXPECT_EQ(short_form(verdict), "wrong 3/5") << verdict.text;
  EXPECT_THAT(verdict.text, HasSubstr("SystemExit"));
}

TEST_F(Judged, ObjectsOfTheProgramAreTestedWhereThatIsAllowed) {
  const std::string program = R"(
class Pair:
    def __init__(self, a, b): self.a, self.b = a, b
    def sum(self): return self.a + self.b
    def add(self, n): self.a += n; return self
    def __eq__(self, other): return (self.a, self.b) == (other.a, other.b)
    def __len__(self): return 2
def longest(pairs): return max(p.b for p in pairs)
)";
  const std::vector<std::string> plain = {"assert longest([Pair(1, 2), Pair(3, 4)]) == 4",
                                          "assert Pair(1, 2).a == 1",
                                          "assert Pair(1, 2).sum() == 3",
                                          "assert Pair(1, 2) == Pair(1, 2)",
                                          "assert Pair(1, 2) != Pair(1, 3)",
                                          "assert len(Pair(1, 2)) == 2"};
  EXPECT_EQ(short_form(judged(asserts(program, plain))), "passed 6/6")
      << judged(asserts(program, plain)).text;
  CodeTest test = asserts(program, {"p = Pair(1, 2)\np.a = 5\nassert p.add(2).a == 7"});
  EXPECT_THAT(judged(test).text, HasSubstr("the program's own objects"));
  test.objects = true;
  EXPECT_TRUE(judged(test).passed()) << judged(test).text;
}

TEST_F(Judged, NamesComeFromTheTestsTheGivenCodeAndTheProgram) {
  // The entry point may have a name of Python's own.
  EXPECT_TRUE(judged(asserts("def sum(a, b): return a + b", {"assert sum(10, 15) == 25"})).passed());
  CodeTest test =
      asserts("def sum(a, b): return a + b", {"import math\nassert math.isclose(sum(10, 15), 25)"});
  EXPECT_TRUE(judged(test).passed()) << judged(test).text;
  // Modules that the program imports are the judge's own.
  EXPECT_TRUE(judged(asserts("import math\ndef f(): return 2.0", {"assert math.sqrt(4) == f()"})).passed());
  test = with_check("def f(x): return encode(x)\ndef encode(x): return x + 1",
                    "    assert candidate(encode(1)) == 4\n");
  EXPECT_FALSE(judged(test).passed());
  test.given = "def encode(x): return x + 2\ndef f(x):\n    'stub'";
  EXPECT_TRUE(judged(test).passed()) << judged(test).text;
}

}  // namespace
}  // namespace fathom::testing
