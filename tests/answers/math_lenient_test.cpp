#include "answers/math_lenient.h"

#include <gtest/gtest.h>

#include <chrono>
#include <string>

namespace fathom {
namespace {

using Pairs = std::vector<std::pair<std::string, std::string>>;

void expect_equal(const Pairs& pairs, bool equal) {
  for (const auto& [a, b] : pairs) {
    EXPECT_EQ(math_equal_lenient(a, b), equal) << a << " | " << b;
    EXPECT_EQ(math_equal_lenient(b, a), equal) << b << " | " << a;
    EXPECT_TRUE(math_equal_lenient(a, a)) << a;
  }
}

TEST(MathLenient, Numbers) {
  expect_equal({{"2/4", "1/2"},
                {"0.5", R"(\frac{2}{4})"},
                {R"(\dfrac12)", ".5"},
                {R"(137 \frac{1}{2})", "137.5"},
                {"3 1/2", "7/2"},
                {"-3 1/2", "-3.5"},
                {"3½", "3.5"},
                {R"(14,\!400)", "14400"},
                {"90{,}900{,}909", "90900909"},
                {"1,234,567", "1234567"},
                {"1,234.50", "1234.5"},
                {"10 000", "10000"},
                {"$18", "18.00"},
                {R"(\$1,000)", "1000"},
                {"1.5e3", R"(1.5 \times 10^{3})"},
                {"10^-3", "0.001"},
                {R"(0.\overline{3})", R"(\frac13)"},
                {R"(0.1\overline{6})", "1/6"},
                {"5!", "120"},
                {R"(\binom{5}{2})", "10"},
                {R"(-\frac{9}{2})", R"(\frac{-9}{2})"},
                {R"(-\frac{9}{2})", "-4.5"},
                {"3:2", "3/2"},
                {"7.0", "7"},
                {"18.", "18"},
                {"**18**", "18"},
                {"2^{100}", R"(4^{50})"},
                {"−5", "-5"}},
               true);
  expect_equal({{"1/3", "0.333"},
                {"1/3", "0.333333333333333"},
                {"3.14", R"(\pi)"},
                {"2^{100}", "2^{100} + 1"},
                {"100000000000000000000", "100000000000000000001"},
                {"5", "5 + 2305843009090237157"},
                {"1,234", "1.234"},
                {"1/0", "2/0"},
                {"0/0", "0"},
                {"5", "-5"},
                {"", "0"},
                {"68.5", R"(137 \frac{1}{2})"}},
               false);
}

TEST(MathLenient, PercentAndUnits) {
  expect_equal({{R"(50\%)", "0.5"},
                {"50%", "50"},
                {R"(-10\%)", "-0.1"},
                {R"(50 \%)", R"(\frac12)"},
                {R"(25^\circ)", "25"},
                {R"(25^{\circ})", "25 degrees"},
                {"25°", R"(25^\circ)"},
                {R"(10\text{ cm})", "10"},
                {R"(10 \text{cm}^2)", "10"},
                {R"(10\ \mathrm{cm^2})", "10"},
                {R"(5\,\mathrm{m})", "5"},
                {R"(40 \mbox{ feet per second})", "40"},
                {"12 square inches", "12"},
                {R"(3\text{ m/s}^2)", "3"},
                {"18 dollars", "18"},
                {"5元", "5"},
                {R"(4\sqrt{2}\text{ inches})", R"(\sqrt{32})"}},
               true);
  expect_equal({{"50%", "5"}, {"50%", "0.05"}, {R"(10\text{ cm})", "1"}, {R"(3\mathrm{i})", "3"}}, false);
}

TEST(MathLenient, Expressions) {
  expect_equal({{"(x-1)(x+1)", "x^2-1"},
                {"7z^{96}(4z+1)", "28z^{97} + 7z^{96}"},
                {R"(\frac{2n}{n+1})", "2n/(n+1)"},
                {R"(\frac{2\sqrt{5}}{5})", R"(\frac{2}{\sqrt{5}})"},
                {R"(\sqrt 2 \cdot \sqrt 3)", R"(\sqrt{6})"},
                {"sqrt(12)", R"(2\sqrt3)"},
                {"√12", "2√3"},
                {R"(\sqrt[3]{-8})", "-2"},
                {R"(40\sqrt{2}\pi)", R"(40 \pi \sqrt 2)"},
                {"2π", R"(2\pi)"},
                {"2*pi", R"(2\pi)"},
                {R"(2 \tan x)", R"(\frac{2\sin x}{\cos x})"},
                {R"(\sin^2 x + \cos^2 x)", "1"},
                {R"(\sin 30^\circ)", "1/2"},
                {R"(\log_2 8)", "3"},
                {R"(\ln(e^2))", "2"},
                {R"(-2 + 7i)", "7i-2"},
                {R"(1-5\mathrm{i})", "1-5i"},
                {"(1+i)^2", "2i"},
                {R"(e^{i\pi})", "-1"},
                {"|x-1|", "|1-x|"},
                {"2|x|", "|2x|"},
                {R"(\lfloor 2.5 \rfloor)", "2"},
                {R"(\frac{x^2-1}{x-1})", "x+1"},
                {"2^{n+1}", R"(2 \cdot 2^n)"},
                {R"(x_1 + x_2)", "x_2+x_1"},
                {R"(\frac{\sqrt{3}-1}{2})", R"(\frac{1}{\sqrt{3}+1})"},
                {R"(720-\frac{15(3+n)}{2^{n-4}})", R"(720 - 15(n+3) 2^{4-n})"},
                {R"(\alpha + \beta)", R"(\beta+\alpha)"},
                {R"(\boxed{5})", "5"}},
               true);
  expect_equal({{"x", "y"},
                {"x", "X"},
                {"x^2", "2x"},
                {"x", "|x|"},
                {R"(\sqrt{x^2})", "x"},
                {"x_1", "x_2"},
                {"2x", "2"},
                {R"(\log 2)", R"(\ln 2)"},
                {"x+1", "x-1"},
                {R"(\infty)", R"(-\infty)"},
                {R"(\infty)", "1/0"}},
               false);
}

TEST(MathLenient, ListsTuplesSetsAndMatrices) {
  expect_equal({{"10, 4, -2", "4, 10, -2"},
                {"B, C", "C,B"},
                {"1 and 2", "2, 1"},
                {R"(1 \text{ or } 2)", "1, 2"},
                {R"(1\text{ or 2})", "1, 2"},
                {"1, 2, and 3", "1,2,3"},
                {"$5$;$10$", "5; 10"},
                {R"(\{1,2\})", R"(\{2, 1\})"},
                {"{1, 2}", R"(\{2, 1\})"},
                {R"(\{1,2\})", "1,2"},
                {R"(\{3\})", "3"},
                {R"(1 \pm \sqrt 2)", R"(1-\sqrt2, 1+\sqrt2)"},
                {R"(\pm 3)", "3, -3"},
                {R"(x = \pm 3)", "x=-3 or x=3"},
                {"(7,6)", R"(\left( 7, \frac{12}{2} \right))"},
                {"(1,2)", "1, 2"},
                {"(x,y) = (1,2)", "(1, 2)"},
                {R"(\begin{pmatrix} 1 & 2 \\ 3 & 4 \end{pmatrix})",
                 R"(\begin{bmatrix}1&2\\3&\frac{8}{2}\\ \end{bmatrix})"},
                {R"(\emptyset)", R"(\{\})"}},
               true);
  expect_equal({{"(1,2)", "(2,1)"},
                {"(1,2)", "2,1"},
                {"1,2", "1,2,3"},
                {"1, 1", "1"},
                {"1, 1, 2", "1, 2, 2"},
                {"(1,234)", "1234"},
                {R"(\{1,2\})", "(1,2)"},
                {R"(\begin{pmatrix} 1 & 2 \end{pmatrix})", R"(\begin{pmatrix} 1 \\ 2 \end{pmatrix})"},
                {R"(\begin{pmatrix} 1 & 2 \end{pmatrix})", R"(\begin{pmatrix} 2 & 1 \end{pmatrix})"},
                {R"(\pm 3)", "3"}},
               false);
}

TEST(MathLenient, IntervalsAndInequalities) {
  expect_equal({{R"((1,4-\sqrt{3})\cup(4+\sqrt{3},7))", R"((4+\sqrt3,7) \cup (1,-\sqrt3+4))"},
                {"[0,2]", R"(\left[0, \frac42\right])"},
                {R"((-\infty,2])", R"(x \le 2)"},
                {"x > 3", R"((3,\infty))"},
                {"3 < x", R"((3,+\infty))"},
                {R"(-2 < x \le 5)", "(-2,5]"},
                {"5 >= x > -2", "(-2,5]"},
                {"x ∈ [0,1]", "[0,1]"},
                {R"(x < 1 \text{ or } x > 3)", R"((-\infty,1) \cup (3,\infty))"},
                {R"(x \ge y)", R"(2y \leq 2x)"}},
               true);
  expect_equal({{"[0,2]", "(0,2)"},
                {"(0,2]", "[0,2)"},
                {"x > 3", "x < 3"},
                {"x > 3", R"([3,\infty))"},
                {R"((0,1) \cup (2,3))", "(0,1)"},
                {R"((0,1) \cup (2,3))", R"((0,1) \cap (2,3))"},
                {"x < y", "y < x"}},
               false);
}

TEST(MathLenient, EquationsAndNames) {
  expect_equal({{"x = 5", "5"},
                {"5 = x", "x=5"},
                {"f(x) = 2x + 1", "1+2x"},
                {"AB = 5", "5"},
                {"Area = 5", "5"},
                {"x = 2 + 3 = 5", "5"},
                {"y = 2x + 1", "2x - y + 1 = 0"},
                {"5x - 7y + 11z + 4 = 0", "10x - 14y + 22z = -8"},
                {R"(\left(x-\frac{3}{2}\right)^{2}+y^{2}=\frac{25}{4})", "4(x-1.5)^2 + 4y^2 = 25"},
                {"y = mx + b", "mx+b"}},
               true);
  expect_equal({{"x + y = 5", "5"},
                {"y = 2x", "y = 3x"},
                {"x = 5", "x > 5"},
                {"1 = 1", "2 = 2"},
                {"5x - 7y + 11z + 4 = 0", "x + y - z + 2 = 0"}},
               false);
}

TEST(MathLenient, WordsAndBases) {
  expect_equal({{R"(\text{Yes})", "yes"},
                {R"(\text{(B)})", "B"},
                {"(B)", "B"},
                {"Monday.", R"(\textbf{monday})"},
                {"1011_2", "1011_{2}"},
                {"52_8", "52"}},
               true);
  expect_equal({{"yes", "no"},
                {"listen", "silent"},
                {"A", "B"},
                {"1011_2", "11"},
                {"52_8", "52_9"},
                {R"(\text{Yes})", "1"}},
               false);
}

TEST(MathLenient, WhatIsNotMathematicsEqualsOnlyItself) {
  for (const std::string text : {R"(\foo{1})", "((1)", "1+", R"(\frac{1})", "}{", R"(\begin{pmatrix} 1)", "#",
                                 "\xff\xfe", "= = =", "\\", "^", "|", R"(\sqrt[)"}) {
    EXPECT_TRUE(math_equal_lenient(text, text)) << text;
    EXPECT_FALSE(math_equal_lenient(text, "1")) << text;
  }
}

std::string repeated(const std::string& part, int n) {
  std::string out;
  for (int i = 0; i < n; ++i) out += part;
  return out;
}

TEST(MathLenient, BoundedInDepthLengthAndTime) {
  const auto start = std::chrono::steady_clock::now();
  const std::string hostile[] = {
      repeated("(", 900) + "1" + repeated(")", 900),
      repeated(R"(\frac{1}{)", 200) + "2" + repeated("}", 200),
      repeated(R"(3\frac{1}{)", 150) + "x" + repeated("}", 150),
      repeated("-", 1900) + "1",
      repeated(R"(\sin )", 300) + "x",
      repeated("x+", 900) + "x",
      repeated(R"(\sqrt2,)", 250) + "1",
      repeated(R"(\pm1)", 300),
      repeated("1000!+", 300) + "x",
      repeated("9", 1990),
      "9^{9^{9^{9^{9}}}}",
      "2^{999999999999999}",
      repeated("x^", 600) + "2",
      repeated("a", 1 << 20),
      repeated(R"(\mathrm{1)", 200),
  };
  for (const std::string& a : hostile)
    for (const std::string& b : hostile)
      if (&a != &b) {
        EXPECT_FALSE(math_equal_lenient(a, b)) << a.substr(0, 40) << " | " << b.substr(0, 40);
      }
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  EXPECT_LT(seconds.count(), 20);
}

}  // namespace
}  // namespace fathom
