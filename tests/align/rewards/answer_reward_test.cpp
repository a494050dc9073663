#include <gtest/gtest.h>

#include "align/rewards/answers.h"

namespace fathom {
namespace {

using testing::Answers, testing::declaration_error, testing::make_reward, testing::Values;

TEST(AnswerReward, MathFindsTheAnswerAndCalculates) {
  const auto reward = make_reward("math", R"({"field": "solution"})");
  const Answers answers(
      {"so \\boxed{0.5}", "#### 2/4", "The answer is $\\frac{1}{2}$.", "\\boxed{2}", "1/2", ""},
      R"({"solution": "we get $\\boxed{\\frac12}$"})");
  EXPECT_EQ(answers.scored_by(*reward),
            Values({"1", "1", "1", "0", "0 no answer found", "0 no answer found"}));
}

TEST(AnswerReward, MathStrictDoesNotCalculate) {
  const auto reward = make_reward("math_strict", "{}");
  const Answers answers({"\\boxed{\\tfrac12}", "\\boxed{2/4}"}, R"({"answer": "1/2"})");
  EXPECT_EQ(answers.scored_by(*reward), Values({"1", "0"}));
}

TEST(AnswerReward, ExactComparesTheWholeTextUnlessToldOtherwise) {
  EXPECT_EQ(Answers({"Paris", " Paris\n", "paris", "Paris it is"}, R"({"answer": "Paris"})")
                .scored_by(*make_reward("exact", "{}")),
            Values({"1", "1", "0", "0"}));
  EXPECT_EQ(Answers({"Paris", " Paris"}, R"({"answer": "Paris"})")
                .scored_by(*make_reward("exact", R"({"normalise": []})")),
            Values({"1", "1"}));  // the extractor already left the blanks out
  EXPECT_EQ(
      Answers({"<answer>the  PARIS.</answer>", "Paris"}, R"({"answer": "Paris"})")
          .scored_by(*make_reward(
              "exact",
              R"({"extract": ["answer_tag"], "normalise": ["lower", "punctuation", "articles", "trim"]})")),
      Values({"1", "0 no answer found"}));
}

TEST(AnswerReward, KeysAreTextsNumbersListsAndFieldsOfObjects) {
  const auto by = [](const std::string& row, const std::string& field) {
    return Answers({"\\boxed{18}"}, row).scored_by(*make_reward("math", R"({"field": ")" + field + "\"}"))[0];
  };
  EXPECT_EQ(by(R"({"a": 18})", "a"), "1");
  EXPECT_EQ(by(R"({"a": 18.0})", "a"), "1");
  EXPECT_EQ(by(R"({"a": ["17", "18"]})", "a"), "1");
  EXPECT_EQ(by(R"({"a": {"b": "18"}})", "a.b"), "1");
  EXPECT_EQ(by(R"({"a.b": "18", "a": {"b": "17"}})", "a.b"), "1");
  EXPECT_EQ(by(R"({"a": "3 * 6 = <<3*6=18>>18\n#### 18"})", "a"), "1");
}

TEST(AnswerReward, ARowWithoutAKeyIsUnscored) {
  const auto by = [](const std::string& row) {
    return Answers({"\\boxed{18}"}, row).scored_by(*make_reward("math", "{}"))[0];
  };
  EXPECT_EQ(by("{}"), "- the row has no field 'answer'");
  EXPECT_EQ(by(R"({"answer": null})"), "- the row has no field 'answer'");
  EXPECT_EQ(by(R"({"answer": []})"), "- the row's field 'answer' is an empty list");
  EXPECT_EQ(by(R"({"answer": {}})"), "- the row's field 'answer' is no answer");
  EXPECT_EQ(by(R"({"answer": " "})"), "- no answer found in the row's field 'answer'");
  EXPECT_EQ(by("[]"), "- the row has no field 'answer'");
  Answers answers({"5"});
  answers.inputs()[0].row = nullptr;
  EXPECT_EQ(answers.scored_by(*make_reward("math", "{}")), Values({"- there is no data row"}));
}

TEST(AnswerReward, MalformedDeclarationsNameTheKey) {
  EXPECT_EQ(declaration_error("math", R"({"extract": ["boxd"]})"),
            "recipe.toml:7: reward 'it': field 'extract': unknown extractor 'boxd': did you mean boxed?");
  EXPECT_EQ(declaration_error("math", R"({"extract": "boxed"})"),
            "recipe.toml:7: reward 'it': field 'extract' must be a list, got \"boxed\"");
  EXPECT_EQ(declaration_error("math", R"({"extract": []})"),
            "recipe.toml:7: reward 'it': field 'extract' must name an extractor");
  EXPECT_EQ(declaration_error("math", R"({"normalise": ["trim"]})"),
            "recipe.toml:7: reward 'it': unknown key 'normalise'");
  EXPECT_EQ(declaration_error("exact", R"({"normalize": ["trim"]})"),
            "recipe.toml:7: reward 'it': unknown key 'normalize': did you mean normalise?");
  EXPECT_EQ(declaration_error("exact", R"({"field": 5})"),
            "recipe.toml:7: reward 'it': field 'field' must be a string, got 5");
}

}  // namespace
}  // namespace fathom
