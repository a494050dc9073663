// Group-relative advantages (DeepSeek-V2, eq. 34): how much better an answer is than the others to its
// prompt.
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace fathom {

// What a group's differences from its mean are divided by. The paper's eq. 34 writes std and does not say
// which.
enum class RewardStd {
  none,        // nothing (Dr. GRPO: Liu et al. 2025)
  population,  // sqrt(sum of squares / n)
  sample,      // sqrt(sum of squares / (n - 1)), as DeepSeekMath's followers compute it
};
inline constexpr RewardStd reward_stds[] = {RewardStd::none, RewardStd::population, RewardStd::sample};
std::string_view name_of(RewardStd kind);

struct AdvantageOptions {
  RewardStd std = RewardStd::sample;
  double epsilon = 1e-4;  // added to the std; positive, unless the std is none
  // What becomes of a skipped group. Dropped: its answers have no advantage, and take no part in GRPO's loss,
  // KL term and denominators. Kept: their advantage is 0, so that they add nothing to the policy's gradient
  // but are in the KL term and in the denominators.
  bool keep_skipped = false;
};

struct GroupedReward {
  int64_t group;                 // the prompt's id; the answers of a group may stand anywhere in the list
  std::optional<double> reward;  // nothing, and what is not finite, is unscored, which is not 0
};

struct Advantages {
  std::vector<std::optional<double>> of_answer;  // in the order of the rewards; nothing: takes no part
  int64_t groups = 0;
  int64_t equal_groups = 0;  // skipped: all its rewards are the same, but for rounding (1e-12 of the largest)
  int64_t small_groups = 0;  // skipped: fewer than two scored answers
  int64_t unscored = 0;      // answers; they leave their group, whose mean and std are those of the others
};

// advantage = (reward - mean) / (std + epsilon) within a group. The list holds the groups of the whole step,
// so that no group is torn apart.
Advantages group_advantages(std::span<const GroupedReward> rewards, const AdvantageOptions& options);

}  // namespace fathom
