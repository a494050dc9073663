// What GRPO learns from: a reward gives each answer a number, or nothing. Nothing means "unscored": the
// reward failed, was null or not finite, or came too late. It is not 0, which is a judgement. Scores belong
// to answers by id, never by order.
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "io/json.h"

namespace fathom {

struct RewardInput {
  int64_t id = 0;  // unique within a batch
  const Json* row =
      nullptr;       // of the data: the question's messages, the answer's key, tests, ...; outlives the call
  std::string text;  // the answer as it was generated, never stripped; may be invalid UTF-8
  int64_t tokens = 0;      // of the answer, the end token included
  bool truncated = false;  // cut off by the limit on its length
};

struct Score {
  int64_t id = 0;
  std::optional<double> value;
  std::string reason;  // why there is no value; or a remark on it, "no answer found"
};

class Reward {
 public:
  virtual ~Reward() = default;
  // In any order. An input that is missing is unscored. Throws only for what is wrong with the program or its
  // declaration; what is wrong with an answer, or with what judges it, is the reason of its score.
  virtual std::vector<Score> score(std::span<const RewardInput> answers) = 0;
};

inline Score unscored(int64_t id, std::string reason) {
  return {id, std::nullopt, std::move(reason)};
}

}  // namespace fathom
