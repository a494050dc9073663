// The answers that a policy gave to a step's questions, with all that is learned from them.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "align/rewards/reward_set.h"
#include "model/expert_replay.h"

namespace fathom {

struct Answer {
  int64_t question = 0;         // its number in the data: the group
  std::vector<int32_t> tokens;  // the prompt's, then the sampled ones
  int64_t prompt_length = 0;
  std::string text = {};    // of the sampled ones, without the end
  bool truncated = false;   // the limit on its length ended it
  std::string error = {};   // the model's output was not finite: it takes no part

  std::vector<double> sampled = {};    // log-probability of each sampled token, as the engine had it
  ChosenExperts experts = {};          // of all tokens but the last; may be absent
  std::vector<double> old = {};        // the policy's own, before the first update; empty: as it is now
  std::vector<double> reference = {};  // the reference's

  AnswerReward reward = {};
  std::optional<double> advantage = {};  // nothing: it takes no part

  int64_t sampled_tokens() const { return static_cast<int64_t>(tokens.size()) - prompt_length; }
};

}  // namespace fathom
