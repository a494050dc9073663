#include "align/objectives/advantages.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "base/error.h"

namespace fathom {
namespace {

struct Group {
  std::vector<size_t> scored;  // places in the list
  std::vector<double> rewards;
};

bool all_equal(const std::vector<double>& rewards) {
  const auto [low, high] = std::minmax_element(rewards.begin(), rewards.end());
  return *high - *low <= 1e-12 * std::max(std::abs(*low), std::abs(*high));
}

double mean_of(const std::vector<double>& values) {
  double sum = 0;
  for (double v : values) sum += v;
  return sum / static_cast<double>(values.size());
}

double divisor(const std::vector<double>& rewards, double mean, const AdvantageOptions& options) {
  if (options.std == RewardStd::none) return 1;
  double squares = 0;
  for (double r : rewards) squares += (r - mean) * (r - mean);
  const auto n = static_cast<double>(rewards.size());
  return std::sqrt(squares / (options.std == RewardStd::sample ? n - 1 : n)) + options.epsilon;
}

}  // namespace

std::string_view name_of(RewardStd kind) {
  switch (kind) {
    case RewardStd::none:
      return "none";
    case RewardStd::population:
      return "population";
    case RewardStd::sample:
      break;
  }
  return "sample";
}

Advantages group_advantages(std::span<const GroupedReward> rewards, const AdvantageOptions& options) {
  check(options.std == RewardStd::none || (options.epsilon > 0 && std::isfinite(options.epsilon)),
        "advantages: epsilon is {}, which is not a positive number", options.epsilon);
  Advantages result{.of_answer = std::vector<std::optional<double>>(rewards.size())};
  std::map<int64_t, Group> groups;
  for (size_t i = 0; i < rewards.size(); ++i) {
    Group& group = groups[rewards[i].group];
    const std::optional<double>& reward = rewards[i].reward;
    if (reward && std::isfinite(*reward)) {
      group.scored.push_back(i);
      group.rewards.push_back(*reward);
    } else {
      ++result.unscored;
    }
  }
  result.groups = static_cast<int64_t>(groups.size());
  for (const auto& [id, group] : groups) {
    const bool small = group.rewards.size() < 2, equal = !small && all_equal(group.rewards);
    result.small_groups += small, result.equal_groups += equal;
    if (small || equal) {
      if (options.keep_skipped)
        for (size_t i : group.scored) result.of_answer[i] = 0;
      continue;
    }
    const double mean = mean_of(group.rewards), by = divisor(group.rewards, mean, options);
    for (size_t i : group.scored) result.of_answer[i] = (*rewards[i].reward - mean) / by;
  }
  return result;
}

}  // namespace fathom
