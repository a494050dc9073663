#include "align/rewards/reward_set.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "align/rewards/answers.h"
#include "support/temp_dir.h"

namespace fathom {
namespace {

using testing::Answers;

// A kind that a caller brings along, as a reward model would be: gives what it was told to.
class Scripted : public Reward {
 public:
  explicit Scripted(std::vector<Score> scores) : scores_(std::move(scores)) {}
  std::vector<Score> score(std::span<const RewardInput>) override { return scores_; }

 private:
  std::vector<Score> scores_;
};

RewardKinds with_scripted(const std::map<std::string, std::vector<Score>>& scripts) {
  RewardKinds kinds = reward_kinds();
  for (const auto& [kind, scores] : scripts)
    kinds[kind] = [scores = scores](const RewardDeclaration&) { return std::make_unique<Scripted>(scores); };
  return kinds;
}

RewardDeclaration part(const std::string& kind, double weight) {
  return {kind, kind, weight, Json::object(), "r.toml:1"};
}

TEST(RewardSet, SumsByWeightAndMatchesById) {
  const std::vector<RewardDeclaration> declarations = {part("a", 2), part("b", -0.5)};
  RewardSet rewards(declarations, with_scripted({{"a", {{101, 3.0, ""}, {100, 1.0, ""}}},
                                                 {"b", {{100, 4.0, ""}, {101, 0.0, "no answer found"}}}}));
  Answers answers({"x", "y"});
  const RewardBatch batch = rewards.score(answers.inputs());
  ASSERT_EQ(batch.answers.size(), 2u);
  EXPECT_EQ(batch.answers[0].id, 100);
  EXPECT_EQ(batch.answers[0].total, 2 * 1 - 0.5 * 4);
  EXPECT_EQ(batch.answers[1].total, 2 * 3.0);
  EXPECT_EQ(batch.answers[1].parts[0].value, 3.0);
  EXPECT_EQ(batch.parts[1].name, "b");
  EXPECT_EQ(batch.parts[1].mean, 2.0);
  EXPECT_EQ(batch.parts[1].reasons.at("no answer found"), 1);
  EXPECT_EQ(batch.unscored, 0);
  EXPECT_EQ(rewards.names(), (std::vector<std::string>{"a", "b"}));
}

TEST(RewardSet, AnUnscoredPartMakesTheAnswerUnscoredAndIsNotZero) {
  const double nan = std::nan(""), infinity = std::numeric_limits<double>::infinity();
  const std::vector<RewardDeclaration> declarations = {part("a", 1), part("watched", 0)};
  RewardSet rewards(declarations, with_scripted({{"a",
                                                  {{100, 1.0, ""},
                                                   {100, 9.0, "a second one"},
                                                   {101, nan, ""},
                                                   {102, infinity, ""},
                                                   unscored(103, "failed"),
                                                   {999, 5.0, "never asked for"}}},
                                                 {"watched", {}}}));
  Answers answers({"x", "y", "z", "u", "v"});
  const RewardBatch batch = rewards.score(answers.inputs());
  EXPECT_EQ(batch.answers[0].total, 1.0);
  for (size_t i = 1; i < 5; ++i) EXPECT_EQ(batch.answers[i].total, std::nullopt) << i;
  EXPECT_EQ(batch.unscored, 4);
  EXPECT_EQ(batch.parts[0].scored, 1);
  EXPECT_EQ(batch.parts[0].unscored, 4);
  EXPECT_EQ(batch.parts[0].mean, 1.0);
  EXPECT_EQ(batch.parts[0].reasons,
            (std::map<std::string, int64_t>{{"not finite", 2}, {"failed", 1}, {"no score", 1}}));
  EXPECT_EQ(batch.parts[1].unscored, 5);  // its weight is 0: counted, and no answer is lost for it
}

TEST(RewardSet, ASumThatOverflowsIsUnscored) {
  const std::vector<RewardDeclaration> declarations = {part("a", 1e10)};
  RewardSet rewards(declarations, with_scripted({{"a", {{100, 1e300, ""}}}}));
  Answers answers({"x"});
  EXPECT_EQ(rewards.score(answers.inputs()).answers[0].total, std::nullopt);
}

TEST(RewardSet, NoAnswersAndNoRewards) {
  RewardSet none({});
  Answers answers({"x"});
  EXPECT_EQ(none.score(answers.inputs()).answers[0].total, 0.0);
  EXPECT_TRUE(none.score({}).answers.empty());
}

TEST(RewardSet, DeclarationsAreReadFromTables) {
  const RewardDeclaration whole = read_declaration(
      Json::parse(R"({"name": "n", "kind": "length", "weight": 0.5, "from": 1, "to": 2})"), "r.toml:3");
  EXPECT_EQ(whole.name + " " + whole.kind + " " + whole.where, "n length r.toml:3");
  EXPECT_EQ(whole.weight, 0.5);
  EXPECT_EQ(whole.parameters, Json::parse(R"({"from": 1, "to": 2})"));
  EXPECT_EQ(read_declaration({{"kind", "math"}}, "r.toml:3").name, "math");
  EXPECT_EQ(error_of([] { read_declaration(Json::object(), "r.toml:3"); }),
            "r.toml:3: field 'kind' is missing");
  EXPECT_EQ(error_of([] {
              read_declaration({{"kind", "math"}, {"weight", "x"}}, "r.toml:3");
            }),
            "r.toml:3: field 'weight' must be a number, got \"x\"");
}

TEST(RewardSet, DeclarationsAndIdsAreChecked) {
  const auto error = [](std::vector<RewardDeclaration> declarations) {
    return error_of([&] { RewardSet{declarations}; });
  };
  RewardDeclaration good = testing::declare("length", R"({"from": 1, "to": 2})");
  EXPECT_EQ(error({good}), "");
  EXPECT_EQ(error({good, good}), "recipe.toml:7: two rewards have the name 'it'");
  RewardDeclaration bad = good;
  bad.name = "";
  EXPECT_EQ(error({bad}), "recipe.toml:7: field 'name' must be of letters, digits, '_', '-' and '.', got ''");
  bad.name = "a b";
  EXPECT_EQ(error({bad}),
            "recipe.toml:7: field 'name' must be of letters, digits, '_', '-' and '.', got 'a b'");
  bad = good, bad.weight = std::nan("");
  EXPECT_EQ(error({bad}), "recipe.toml:7: reward 'it': field 'weight' must be finite, got nan");
  bad = good, bad.kind = "lenght";
  EXPECT_EQ(error({bad}),
            "recipe.toml:7: reward 'it': field 'kind': unknown kind 'lenght': did you mean length?");

  Answers answers({"x", "y"});
  answers.inputs()[1].id = 100;
  RewardSet rewards(std::vector{good});
  EXPECT_EQ(error_of([&] { rewards.score(answers.inputs()); }), "two answers to be scored have the id 100");
}

}  // namespace
}  // namespace fathom
