// How AGIEval's evaluator finds the answer to a question with a blank.
#include "answers/cloze_answer.h"

#include <gtest/gtest.h>

#include <string>

namespace fathom {
namespace {

std::string found(std::string_view text) {
  return std::string(cloze_answer(text).value_or("none"));
}

TEST(ClozeAnswer, IsBoxedOrInDollarsOrBehindAnEqualsSignOrANumber) {
  EXPECT_EQ(found("so $x=1$, that is \\boxed{x = \\frac{1}{2}}."), "\\frac{1}{2}");
  EXPECT_EQ(found("\\boxed{1} and \\boxed{2"),
            "none");  // a box without an end is no answer, whatever else is there
  EXPECT_EQ(found("$5$ and \\boxed 7"), "none");
  EXPECT_EQ(found("first $a$ then $b = 3$"), "3");  // from the first dollar to the last, behind its "="
  EXPECT_EQ(found("$x$\n$y$\nz"), "y");
  EXPECT_EQ(found("2 + 3 = 5."), "5");
  EXPECT_EQ(found("x = 5\\nQ: more"), "5");
  EXPECT_EQ(found("between 3 and 4.5 apples"), "4.5");
  EXPECT_EQ(found("it costs $12, says A1"), "1");
  EXPECT_EQ(found("3rd, 4x"), "none");
  EXPECT_EQ(found("$$ and 7"), "7");
  EXPECT_EQ(found("答案是 $\\sqrt{2}$。"), "\\sqrt{2}");
  EXPECT_EQ(found("1 = 2. The answer is therefore 9"), "9");
  EXPECT_EQ(found(""), "none");
}

}  // namespace
}  // namespace fathom
