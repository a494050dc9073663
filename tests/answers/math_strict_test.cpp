#include "answers/math_strict.h"

#include <gtest/gtest.h>

namespace fathom {
namespace {

struct Case {
  const char *name, *a, *b;
  bool equal;
};

// The cases that the rules were published with (hendrycks/math, test_math_equivalence.py; MIT).
TEST(MathStrict, TheCasesOfItsAuthors) {
  const Case cases[] = {
      {"fractions", R"(\tfrac{1}{2} + \frac1{72})", R"(\\frac{1}{2} + 2/3)", false},
      {"order", "10, 4, -2", "4, 10, -2", false},
      {"order2", "10, 4, 2", "4, 12, 2", false},
      {"dfrac", R"(\tfrac{1}{2} +\! \frac1{72})", R"(\\dfrac{1}{2} +\frac{1}{72})", true},
      {"units", R"(10\text{ units})", "10 ", true},
      {"units2", R"(10\text{ units})", "100 ", false},
      {"dollars", "10", R"(\$10)", true},
      {"parentheses", R"(\left(x-2\right)\left(x+2\right))", "(x-2)(x+2)", true},
      {"decimals", "0.1, 4, 2", "4, .1, 2", false},
      {"decimals2", "0.1", ".1", true},
      {"percentage", R"(10\%)", "10", true},
      {"sqrt", R"(10\sqrt{3} + \sqrt4)", R"(10\sqrt3 + \sqrt{4})", true},
      {"frac", R"(\frac34i)", R"(\frac{3}{4}i)", true},
      {"tfrac", R"(\tfrac83)", R"(\frac{8}{3})", true},
      {"expression", "5x - 7y + 11z + 4 = 0", "x + y - z + 2 = 0", false},
      {"half", "1/2", R"(\frac{1}{2})", true},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(math_equal_strict(c.a, c.b), c.equal) << c.name;
    EXPECT_EQ(math_equal_strict(c.b, c.a), c.equal) << c.name;
  }
}

TEST(MathStrict, ItsFormOfATextRuleByRule) {
  const std::pair<const char*, const char*> forms[] = {
      {"a\nb", "ab"},
      {R"(14,\!400)", "14,400"},
      {R"(\left( 0 , 1 \right])", "(0,1]"},
      {R"(25^\circ + 5^{\circ})", "25+5"},
      {R"(3\text{ sq cm})", "3"},
      {R"(50\%)", "50"},
      {"50%", "50%"},
      {"{.5} .5", "{0.5}0.5"},
      {"k = 5", "5"},
      {"abc = 5", "abc=5"},
      {"x = y = 2", "x=y=2"},
      {R"(\sqrt 3)", R"(\sqrt{}3)"},
      {R"(\frac12)", R"(\frac{1}{2})"},
      {R"(\frac1{72})", R"(\frac{1}{72})"},
      {R"(\frac{1}2)", R"(\frac{1}2)"},
      {R"(2\frac1)", R"(2\frac1)"},
      {"0.5", R"(\frac{1}{2})"},
      {"-3/4", R"(\frac{-3}{4})"},
      {"03/4", "03/4"},
      {"-0/4", "-0/4"},
      {"1/2/3", "1/2/3"},
      {"a/b", "a/b"},
      {"", ""},
      {R"(\sqrtπ2)", R"(\sqrt{π}2)"},
      {"é= 5", "5"},
  };
  for (const auto& [text, form] : forms) EXPECT_EQ(strict_form(text), form) << text;
}

TEST(MathStrict, WhatTheRulesCannotTakeIsComparedAsItStands) {
  for (const char* text :
       {R"(\sqrt)", R"(\frac)", R"(1 + \frac)", R"(\sqrt\sqrt{2})", R"(1\text{ a}2\text{ b})"}) {
    EXPECT_EQ(strict_form(text), std::nullopt) << text;
    EXPECT_TRUE(math_equal_strict(text, text)) << text;
    EXPECT_FALSE(math_equal_strict(text, std::string(text) + " ")) << text;
    EXPECT_FALSE(math_equal_strict(text, "1")) << text;
  }
}

}  // namespace
}  // namespace fathom
