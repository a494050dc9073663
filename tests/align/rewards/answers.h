// Answers to be scored, and rewards of one declaration, for the tests.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "align/rewards/kinds.h"
#include "base/error.h"

namespace fathom::testing {

inline RewardDeclaration declare(const std::string& kind, const std::string& parameters) {
  return {"it", kind, 1, Json::parse(parameters), "recipe.toml:7"};
}

inline std::unique_ptr<Reward> make_reward(const std::string& kind, const std::string& parameters) {
  return reward_kinds().at(kind)(declare(kind, parameters));
}

// The Error of a declaration.
inline std::string declaration_error(const std::string& kind, const std::string& parameters) {
  try {
    make_reward(kind, parameters);
  } catch (const Error& error) {
    return error.what();
  }
  return "none";
}

// Texts with the ids 100, 101, ... and one row for all.
class Answers {
 public:
  explicit Answers(const std::vector<std::string>& texts, const std::string& row = "{}")
      : row_(std::make_unique<Json>(Json::parse(row))) {
    for (const std::string& text : texts)
      inputs_.push_back({100 + static_cast<int64_t>(inputs_.size()), row_.get(), text,
                         static_cast<int64_t>(text.size()), false});
  }
  std::vector<RewardInput>& inputs() { return inputs_; }

  // In the order of the texts; "-" for no value.
  std::vector<std::string> scored_by(Reward& reward) const {
    std::vector<std::string> values(inputs_.size(), "absent");
    for (const Score& score : reward.score(inputs_)) {
      std::string& value = values.at(static_cast<size_t>(score.id - 100));
      check(value == "absent", "the id {} is scored twice", score.id);
      value = score.value ? fmt::format("{}", *score.value) : "-";
      if (!score.reason.empty()) value += " " + score.reason;
    }
    return values;
  }

 private:
  std::unique_ptr<Json> row_;
  std::vector<RewardInput> inputs_;
};

using Values = std::vector<std::string>;

}  // namespace fathom::testing
