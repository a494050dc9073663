// Unit tests as a reward: programs in answers, run in the sandbox.
#include "align/rewards/code_reward.h"

#include <gmock/gmock.h>

#include "sandbox/abilities.h"
#include "support/temp_dir.h"

namespace fathom {
namespace {

using ::testing::HasSubstr;

class CodeRewardTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const SandboxAbilities abilities = find_sandbox_abilities({});
    if (!abilities.can_run || !abilities.missing().empty())
      GTEST_SKIP() << "needs a machine that can hold programs back: " << abilities.missing();
  }
  static std::unique_ptr<Reward> make(const std::string& parameters = "{}") {
    return code_reward({.name = "tests", .kind = "code", .weight = 1, .parameters = Json::parse(parameters), .where = "r"});
  }
  static Score score(Reward& reward, const Json& row, const std::string& answer) {
    const RewardInput input{.id = 7, .row = &row, .text = answer, .tokens = 1};
    return reward.score(std::span(&input, 1)).at(0);
  }
  static std::string block(const std::string& code) { return "Here it is:\n```python\n" + code + "\n```\n"; }
};

const Json human_eval = {{"entry_point", "add"}, {"test", "def check(candidate):\n    assert candidate(1, 2) == 3\n    assert candidate(5, -5) == 0\n"}};
const Json mbpp = {{"test_list", {"assert add(1, 2) == 3", "assert add(2, 2) == 4", "assert add(0, 0) == 0", "assert add(1, 0) == 1"}}};
const Json cases = {{"cases", {{{"input", "1 2\n"}, {"output", "3\n"}}, {{"input", "4 5\n"}, {"output", "9\n"}}}}};

TEST_F(CodeRewardTest, EveryFormOfTests) {
  const auto reward = make();
  for (const Json& row : {human_eval, mbpp}) {
    EXPECT_EQ(score(*reward, row, block("def add(a, b):\n    return a + b")).value, 1) << row;
    EXPECT_EQ(score(*reward, row, block("def add(a, b):\n    return a - b")).value, 0) << row;
    EXPECT_EQ(score(*reward, row, block("import sys; sys.exit(0)")).value, 0) << row;
  }
  EXPECT_EQ(score(*reward, cases, block("print(sum(map(int, input().split())))")).value, 1);
  EXPECT_EQ(score(*reward, cases, block("print(3)")).value, 0);
}

TEST_F(CodeRewardTest, PartsOfTheTests) {
  const auto reward = make(R"({"share": true})");
  EXPECT_EQ(score(*reward, mbpp, block("def add(a, b):\n    return 3 if a == 1 and b == 2 else 4")).value, 0.5);
}

TEST_F(CodeRewardTest, AnAnswerWithoutAProgramScoresZero) {
  const auto reward = make();
  const Score none = score(*reward, mbpp, "I do not know.");
  EXPECT_EQ(none.value, 0);
  EXPECT_EQ(none.reason, "no program");
  EXPECT_EQ(score(*make(R"({"whole_text": true})"), mbpp, "def add(a, b):\n    return a + b\n").value, 1);
}

TEST_F(CodeRewardTest, WhatCannotBeTestedIsUnscored) {
  const auto reward = make();
  const Score none = score(*reward, Json::object(), block("x = 1"));
  EXPECT_FALSE(none.value.has_value());
  EXPECT_THAT(none.reason, HasSubstr("none of the fields"));
}

TEST_F(CodeRewardTest, TimeAndParametersAreBounded) {
  EXPECT_EQ(score(*make(R"({"seconds": 0.5})"), mbpp, block("while True: pass")).value, 0);
  EXPECT_THAT(error_of([] { make(R"({"language": "perl"})"); }), HasSubstr("'language'"));
  EXPECT_THAT(error_of([] { make(R"({"memory": 3})"); }), HasSubstr("memory"));
}

}  // namespace
}  // namespace fathom
