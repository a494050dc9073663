#include "align/rewards/answer_reward.h"

#include <algorithm>
#include <functional>

#include "align/rewards/answer_key.h"
#include "answers/math_lenient.h"
#include "answers/math_strict.h"
#include "answers/normalisation.h"
#include "base/error.h"

namespace fathom {
namespace {

using Names = std::vector<std::string>;
using Equal = std::function<bool(const std::string& answer, const std::string& key)>;

class AnswerComparison : public Reward {
 public:
  AnswerComparison(RewardParameters& parameters, const Names& extract, const Names& key_extract)
      : extractors_(parameters.names("extract", extract, parse_extractor)), key_(parameters, key_extract) {
    if (extractors_.empty()) parameters.fail_at("extract", "must name an extractor");
  }

  void compare_by(Equal equal) { equal_ = std::move(equal); }

  std::vector<Score> score(std::span<const RewardInput> answers) override {
    std::vector<Score> scores;
    for (const RewardInput& answer : answers) scores.push_back(score_one(answer));
    return scores;
  }

 private:
  Score score_one(const RewardInput& answer) const {
    if (!answer.row) return unscored(answer.id, "there is no data row");
    Names keys;
    try {
      keys = key_.of(*answer.row);
    } catch (const Error& error) {  // this row's fault, not the program's
      return unscored(answer.id, error.what());
    }
    const std::optional<std::string> found = extract_first(answer.text, extractors_);
    if (!found) return {answer.id, 0.0, "no answer found"};
    const bool right =
        std::any_of(keys.begin(), keys.end(), [&](const std::string& key) { return equal_(*found, key); });
    return {answer.id, right ? 1.0 : 0.0, ""};
  }

  std::vector<Extractor> extractors_;
  AnswerKey key_;
  Equal equal_;
};

std::unique_ptr<Reward> mathematical(const RewardDeclaration& declaration, Equal equal) {
  RewardParameters parameters(declaration);
  auto reward = std::make_unique<AnswerComparison>(parameters, Names{"boxed", "hashes", "stated"},
                                                   Names{"boxed", "hashes", "whole"});
  parameters.finish();
  reward->compare_by(std::move(equal));
  return reward;
}

}  // namespace

std::unique_ptr<Reward> exact_reward(const RewardDeclaration& declaration) {
  RewardParameters parameters(declaration);
  auto reward = std::make_unique<AnswerComparison>(parameters, Names{"whole"}, Names{"whole"});
  const auto steps = parameters.names("normalise", {"trim"}, parse_normalisation);
  parameters.finish();
  reward->compare_by([steps](const std::string& answer, const std::string& key) {
    return normalised(answer, steps) == normalised(key, steps);
  });
  return reward;
}

std::unique_ptr<Reward> math_reward(const RewardDeclaration& declaration) {
  return mathematical(declaration, math_equal_lenient);
}

std::unique_ptr<Reward> math_strict_reward(const RewardDeclaration& declaration) {
  return mathematical(declaration, math_equal_strict);
}

}  // namespace fathom
