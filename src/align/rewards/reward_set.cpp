#include "align/rewards/reward_set.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <unordered_map>

#include "base/error.h"
#include "base/log.h"
#include "base/nearest.h"

namespace fathom {
namespace {

using Positions = std::unordered_map<int64_t, size_t>;  // of ids among the inputs

Positions positions_of(std::span<const RewardInput> answers) {
  Positions positions;
  for (size_t i = 0; i < answers.size(); ++i)
    check(positions.emplace(answers[i].id, i).second, "two answers to be scored have the id {}",
          answers[i].id);
  return positions;
}

// One score for each input, in the inputs' order.
std::vector<Score> in_order(std::vector<Score> scores, std::span<const RewardInput> answers,
                            const Positions& positions) {
  std::vector<Score> ordered;
  for (const RewardInput& answer : answers) ordered.push_back(unscored(answer.id, "no score"));
  std::vector<bool> seen(answers.size());
  for (Score& score : scores) {
    const auto found = positions.find(score.id);
    if (found == positions.end() || seen[found->second]) continue;
    seen[found->second] = true;
    if (score.value && !std::isfinite(*score.value)) score = unscored(score.id, "not finite");
    ordered[found->second] = std::move(score);
  }
  return ordered;
}

RewardPart summary(const std::string& name, double weight, std::span<const Score> scores) {
  RewardPart part{name, weight, 0, 0, 0, {}};
  double sum = 0;
  for (const Score& score : scores) {
    if (!score.reason.empty()) ++part.reasons[score.reason];
    ++(score.value ? part.scored : part.unscored);
    sum += score.value.value_or(0);
  }
  if (part.scored > 0) part.mean = sum / static_cast<double>(part.scored);
  return part;
}

void warn_of_unscored(const RewardPart& part, std::span<const Score> scores) {
  if (part.unscored == 0) return;
  for (const Score& score : scores)
    if (!score.value)
      return log::warn("reward '{}': {} of {} answers unscored, the first because: {}", part.name,
                       part.unscored, scores.size(), score.reason);
}

bool may_stand_in_name(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
         c == '.';
}

std::string place_of(const RewardDeclaration& declaration) {
  return declaration.where.empty() ? "" : declaration.where + ": ";
}

}  // namespace

RewardSet::RewardSet(std::span<const RewardDeclaration> declarations, const RewardKinds& kinds) {
  std::vector<std::string> known;
  for (const auto& [kind, maker] : kinds) known.push_back(kind);
  std::set<std::string> names;
  for (const RewardDeclaration& d : declarations) {
    const std::string place = place_of(d);
    check(!d.name.empty() && std::all_of(d.name.begin(), d.name.end(), may_stand_in_name),
          "{}field 'name' must be of letters, digits, '_', '-' and '.', got '{}'", place, d.name);
    check(names.insert(d.name).second, "{}two rewards have the name '{}'", place, d.name);
    check(std::isfinite(d.weight), "{}reward '{}': field 'weight' must be finite, got {}", place, d.name,
          d.weight);
    const auto maker = kinds.find(d.kind);
    check(maker != kinds.end(), "{}reward '{}': field 'kind': unknown kind '{}'{}", place, d.name, d.kind,
          did_you_mean(d.kind, known));
    members_.push_back({d.name, d.weight, maker->second(d)});
  }
}

RewardBatch RewardSet::score(std::span<const RewardInput> answers) {
  const Positions positions = positions_of(answers);
  RewardBatch batch;
  for (const RewardInput& answer : answers) batch.answers.push_back({answer.id, 0.0, {}});
  for (const Member& member : members_) {
    std::vector<Score> scores = in_order(member.reward->score(answers), answers, positions);
    batch.parts.push_back(summary(member.name, member.weight, scores));
    warn_of_unscored(batch.parts.back(), scores);
    for (size_t i = 0; i < answers.size(); ++i) {
      AnswerReward& answer = batch.answers[i];
      if (member.weight != 0 && !scores[i].value) answer.total.reset();
      if (answer.total && scores[i].value) *answer.total += member.weight * *scores[i].value;
      answer.parts.push_back(std::move(scores[i]));
    }
  }
  for (AnswerReward& answer : batch.answers) {
    if (answer.total && !std::isfinite(*answer.total)) answer.total.reset();  // the sum overflowed
    batch.unscored += !answer.total;
  }
  return batch;
}

std::vector<std::string> RewardSet::names() const {
  std::vector<std::string> names;
  for (const Member& member : members_) names.push_back(member.name);
  return names;
}

}  // namespace fathom
