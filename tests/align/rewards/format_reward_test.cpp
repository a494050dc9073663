#include <gtest/gtest.h>

#include <chrono>

#include "align/rewards/answers.h"

namespace fathom {
namespace {

using testing::Answers, testing::declaration_error, testing::make_reward, testing::Values;

TEST(FormatReward, PartsEachOnceInOrderAndNothingElse) {
  const auto reward = make_reward("format", R"({"parts": ["think", "answer"]})");
  const Answers answers(
      {"<think>a</think><answer>b</answer>", " <think>a\nb</think>\n\n<answer> b </answer>\n",
       "<answer>b</answer><think>a</think>", "<think>a</think>", "<think>a</think><answer>b",
       "<think>a</think>so<answer>b</answer>", "x<think>a</think><answer>b</answer>",
       "<think>a</think><answer>b</answer>x", "<think> </think><answer>b</answer>",
       "<think>a</think><answer>b</answer><answer>c</answer>", "<think>a<answer>b</think><answer>c</answer>",
       "<think>a<think>b</think><answer>c</answer>", "<think>a</think></think><answer>c</answer>", ""});
  EXPECT_EQ(answers.scored_by(*reward),
            Values({"1", "1", "0", "0", "0", "0", "0", "0", "0", "0", "0", "0", "0", "0"}));
}

TEST(FormatReward, TheFirstPartMayBeginInThePrompt) {
  const auto reward = make_reward("format", R"({"parts": ["think", "answer"], "opened": true})");
  EXPECT_EQ(Answers({"a</think><answer>b</answer>", "<think>a</think><answer>b</answer>",
                     "</think><answer>b</answer>"})
                .scored_by(*reward),
            Values({"1", "0", "0"}));
}

TEST(FormatReward, APatternMatchesTheWholeTextAsItWasGenerated) {
  const auto reward = make_reward("format", R"({"pattern": "[a-z]+|\\d"})");
  EXPECT_EQ(Answers({"abc", "7", "abc7", "ab c", " abc", "abc\n", "", "a\xff"}).scored_by(*reward),
            Values({"1", "1", "0", "0", "0", "0", "0", "0 not valid UTF-8"}));
  EXPECT_EQ(Answers({"<think>a\nb</think>5"})
                .scored_by(*make_reward("format", R"({"pattern": "(?s)<think>.*</think>\\d"})")),
            Values({"1"}));
}

TEST(FormatReward, APatternThatNeedsTooLongIsStopped) {
  const auto reward = make_reward("format", R"({"pattern": "(a|aa)+[bc]"})");
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(Answers({std::string(5000, 'a'), "aab"}).scored_by(*reward),
            Values({"- the pattern needs too many steps on this text", "1"}));
  EXPECT_LT(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(), 10);
}

TEST(FormatReward, MalformedDeclarationsNameTheKey) {
  const std::string place = "recipe.toml:7: reward 'it': ";
  EXPECT_EQ(declaration_error("format", "{}"), place + "field 'parts' is missing");
  EXPECT_EQ(declaration_error("format", R"({"parts": []})"), place + "field 'parts' must name a part");
  EXPECT_EQ(declaration_error("format", R"({"parts": ["a", "a"]})"), place + "field 'parts' names 'a' twice");
  EXPECT_EQ(declaration_error("format", R"({"parts": ["<a>"]})"),
            place + "field 'parts' has '<a>', which is no name of a tag");
  EXPECT_EQ(declaration_error("format", R"({"pattern": "a", "parts": ["a"]})"),
            place + "unknown key 'parts'");
  EXPECT_NE(declaration_error("format", R"({"pattern": "(a"})")
                .find(place + "field 'pattern': bad regular expression '(a'"),
            std::string::npos);
  EXPECT_NE(declaration_error("format", R"({"pattern": "a)|(b"})").find("bad regular expression 'a)|(b'"),
            std::string::npos);
}

}  // namespace
}  // namespace fathom
