// Answers and their scores as JSON, on the way to a judge outside (a command, an endpoint) and back:
//
//   to:   {"id": 7, "text": "...", "tokens": 120, "truncated": false, "row": {...}}
//   from: {"id": 7, "reward": 0.5}, or {"id": 7, "reward": null, "error": "why"}
#pragma once
#include <optional>
#include <string>

#include "align/rewards/reward.h"

namespace fathom {

// `id` takes the place of the answer's own. Bytes that are not UTF-8 become U+FFFD.
Json answer_to_json(const RewardInput& answer, int64_t id);

// The score in one JSON value. Nothing when it is no object with an integer "id"; unscored when its reward is
// missing, null or no number.
std::optional<Score> score_from_json(const Json& json);

}  // namespace fathom
