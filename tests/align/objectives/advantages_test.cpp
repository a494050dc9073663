#include "align/objectives/advantages.h"

#include "base/error.h"
#include "golden.h"

namespace fathom::testing {
namespace {

// Groups are known by id: their answers may be in any order, among those of others.
TEST(Advantages, OfInterleavedGroups) {
  const GroupedReward rewards[] = {{7, 1.0}, {-3, 10.0}, {7, 3.0}, {-3, 30.0}, {7, 5.0}, {-3, 10.0}};
  const Advantages sample = group_advantages(rewards, {.std = RewardStd::sample, .epsilon = 0.5});
  const Advantages population = group_advantages(rewards, {.std = RewardStd::population, .epsilon = 0.5});
  const Advantages none = group_advantages(rewards, {.std = RewardStd::none});
  EXPECT_NEAR(*sample.of_answer[0], -2 / 2.5, 1e-15);  // mean 3, std sqrt(8 / 2)
  EXPECT_NEAR(*sample.of_answer[4], 2 / 2.5, 1e-15);
  EXPECT_NEAR(*sample.of_answer[2], 0, 1e-15);
  EXPECT_NEAR(*population.of_answer[0], -2 / (std::sqrt(8.0 / 3) + 0.5), 1e-15);
  EXPECT_NEAR(*population.of_answer[3], (30 - 50.0 / 3) / (std::sqrt(800.0 / 9) + 0.5), 1e-14);
  EXPECT_EQ(*none.of_answer[0], -2);
  EXPECT_NEAR(*none.of_answer[1], 10 - 50.0 / 3, 1e-14);
  EXPECT_EQ(sample.groups, 2);
  EXPECT_EQ(sample.equal_groups + sample.small_groups + sample.unscored, 0);
}

TEST(Advantages, UnscoredAnswersLeaveTheirGroup) {
  const GroupedReward rewards[] = {{1, 2.0},      {1, std::nullopt}, {1, 4.0}, {1, double(NAN)},
                                   {1, INFINITY}, {2, std::nullopt}, {2, 1.0}, {3, std::nullopt}};
  for (bool keep : {false, true}) {
    const Advantages a = group_advantages(rewards, {.std = RewardStd::none, .keep_skipped = keep});
    EXPECT_EQ(*a.of_answer[0], -1);  // the mean is 3, not 6/5
    EXPECT_EQ(*a.of_answer[2], 1);
    for (int i : {1, 3, 4, 5, 7}) EXPECT_FALSE(a.of_answer[i]) << i;
    EXPECT_EQ(a.of_answer[6], keep ? std::optional(0.0) : std::nullopt);  // the only one of its group
    EXPECT_EQ(a.unscored, 5);
    EXPECT_EQ(a.small_groups, 2);
    EXPECT_EQ(a.groups, 3);
  }
}

TEST(Advantages, GroupsOfEqualRewardsAreSkipped) {
  // 0.1 + 0.2 is 0.3 but for its last bit; 1e9 and 1e9 + 1 are not the same.
  const GroupedReward rewards[] = {{1, 0.1 + 0.2}, {1, 0.3}, {2, 0.0}, {2, 0.0}, {3, 1e9}, {3, 1e9 + 1}};
  for (RewardStd std : reward_stds)
    for (bool keep : {false, true}) {
      const Advantages a = group_advantages(rewards, {.std = std, .keep_skipped = keep});
      EXPECT_EQ(a.equal_groups, 2) << name_of(std);
      for (int i : {0, 1, 2, 3}) EXPECT_EQ(a.of_answer[i], keep ? std::optional(0.0) : std::nullopt);
      EXPECT_LT(*a.of_answer[4], -0.4);
      EXPECT_NEAR(*a.of_answer[4], -*a.of_answer[5], 1e-12);
    }
  EXPECT_TRUE(group_advantages({}, {}).of_answer.empty());
}

TEST(Advantages, AFewAlikeRewardsDoNotExplode) {
  const GroupedReward rewards[] = {{1, 1.0}, {1, 1.0 + 1e-9}, {1, 1.0}};
  const Advantages a = group_advantages(rewards, {});
  EXPECT_EQ(a.equal_groups, 0);
  EXPECT_LT(std::abs(*a.of_answer[1]), 1e-5);  // 7e-10 / (6e-10 + 1e-4)
}

TEST(Advantages, EpsilonIsChecked) {
  const GroupedReward rewards[] = {{1, 1.0}, {1, 2.0}};
  for (double epsilon : {0.0, -1.0, double(NAN)})
    EXPECT_THROW(group_advantages(rewards, {.epsilon = epsilon}), Error);
  EXPECT_NO_THROW(group_advantages(rewards, {.std = RewardStd::none, .epsilon = 0}));
}

TEST(Advantages, AsTrlHasThem) {
  for (const Json& c : golden_cases("advantages")) {
    AdvantageOptions options{.epsilon = c.at("epsilon")};
    for (RewardStd std : reward_stds)
      if (c.at("std") == name_of(std)) options.std = std;
    std::vector<GroupedReward> rewards;
    for (size_t i = 0; i < c.at("reward").size(); ++i) {
      const Json& reward = c.at("reward")[i];
      rewards.push_back({c.at("group")[i], reward.is_null() ? std::nullopt : std::optional<double>(reward)});
    }
    const Advantages got = group_advantages(rewards, options);
    EXPECT_EQ(got.equal_groups, 1);
    EXPECT_EQ(got.small_groups, 1);
    Doubles ours, theirs;
    bool skipped_there = true;
    for (size_t i = 0; i < rewards.size(); ++i) {
      const Json& want = c.at("advantage")[i];
      // Skipped groups: nothing here, 0 or nothing there.
      if (got.of_answer[i])
        ours.push_back(*got.of_answer[i]), theirs.push_back(want);
      else
        skipped_there &= want.is_null() || std::abs(want.get<double>()) < 1e-12;
    }
    EXPECT_TRUE(skipped_there);
    EXPECT_EQ(ours.size(), 15u);
    Parity parity(
        fmt::format("advantages, std {}, against {}", name_of(options.std), c.at("by").get<std::string>()));
    parity.expect("advantages", ours, theirs);
  }
}

}  // namespace
}  // namespace fathom::testing
