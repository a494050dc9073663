// rollouts.jsonl of a run of fathom grpo: what it was asked, what it answered, and how that was rewarded.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "io/json.h"

namespace fathom {

struct RolloutAnswer {
  std::string text;
  int64_t tokens = 0;
  bool truncated = false;
  std::optional<double> reward, advantage;                  // nothing: unscored; takes no part
  std::vector<std::pair<std::string, std::string>> parts;  // of the reward: a number, or why there is none
};

// The answers to one question in one step, best first.
struct RolloutGroup {
  int64_t step = 0;
  std::string prompt;
  int64_t count = 0;  // of answers in the file
  std::vector<RolloutAnswer> answers;
};

struct RolloutLimits {
  size_t groups = 60, answers = 16;    // of a run, and of a group; evenly chosen
  size_t text = 2000, parts = 16;      // bytes of a text; rewards of an answer
};

// Empty where there is no such file. A last line without its end is left out. Error naming the file and the line
// where one is malformed.
std::vector<RolloutGroup> read_rollouts(const std::string& path, const RolloutLimits& limits);

// A line of the file. Error naming `where`.
RolloutAnswer rollout_answer(const JsonObject& line, const RolloutLimits& limits);

}  // namespace fathom
