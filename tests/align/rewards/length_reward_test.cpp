#include <gtest/gtest.h>

#include "align/rewards/answers.h"

namespace fathom {
namespace {

using testing::declaration_error, testing::make_reward;

double at(Reward& reward, int64_t tokens) {
  const RewardInput input{1, nullptr, "", tokens, false};
  return reward.score({&input, 1}).at(0).value.value();
}

TEST(LengthReward, FallsLinearlyForOverlongAnswers) {
  const auto reward = make_reward("length", R"({"from": 80, "to": 120})");
  for (const auto& [tokens, value] : std::vector<std::pair<int64_t, double>>{
           {0, 0}, {80, 0}, {90, -0.25}, {100, -0.5}, {120, -1}, {121, -1}, {1000000, -1}})
    EXPECT_DOUBLE_EQ(at(*reward, tokens), value) << tokens;
}

TEST(LengthReward, IsHighestAtItsTarget) {
  const auto reward = make_reward("length", R"({"target": 100, "width": 50})");
  for (const auto& [tokens, value] :
       std::vector<std::pair<int64_t, double>>{{100, 1}, {75, 0.5}, {125, 0.5}, {50, 0}, {0, 0}, {500, 0}})
    EXPECT_DOUBLE_EQ(at(*reward, tokens), value) << tokens;
}

TEST(LengthReward, MalformedDeclarationsNameTheKey) {
  const std::string place = "recipe.toml:7: reward 'it': ";
  EXPECT_EQ(declaration_error("length", "{}"), place + "field 'from' is missing");
  EXPECT_EQ(declaration_error("length", R"({"from": 5, "to": 5})"),
            place + "field 'to' must be above 'from'");
  EXPECT_EQ(declaration_error("length", R"({"from": -1, "to": 5})"),
            place + "field 'from' must be at least 0");
  EXPECT_EQ(declaration_error("length", R"({"target": 0, "width": 5})"),
            place + "field 'target' must be at least 1, got 0");
  EXPECT_EQ(declaration_error("length", R"({"target": 5, "width": 0})"),
            place + "field 'width' must be at least 1");
  EXPECT_EQ(declaration_error("length", R"({"target": 5, "width": 2, "to": 7})"), place + "unknown key 'to'");
}

}  // namespace
}  // namespace fathom
