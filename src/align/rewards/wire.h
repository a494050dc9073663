// Answers and their scores as JSON, on the way to a judge outside (a command, an endpoint) and back:
//
//   to:   {"id": 7, "text": "...", "tokens": 120, "truncated": false, "row": {...}}
//   from: {"id": 7, "reward": 0.5}, or {"id": 7, "reward": null, "error": "why"}
//
// Numbers that are no JSON, as Python writes NaN and Infinity, count as null.
#pragma once
#include <optional>
#include <string>

#include "align/rewards/reward.h"

namespace fathom {

// `id` takes the place of the answer's own. Bytes that are not UTF-8 become U+FFFD.
Json answer_to_json(const RewardInput& answer, int64_t id);
// In one line, without its end.
std::string json_line(const Json& json);

// What a judge sent as one value. Nothing when that is no JSON.
std::optional<Json> parse_sent(std::string text);

// The score in one JSON value. Nothing when it is no object with an integer "id"; unscored when its reward is
// missing, null or no number.
std::optional<Score> score_from_json(const Json& json);

// A text from outside as a reason: one line, at most 200 bytes.
std::string as_reason(std::string text);

}  // namespace fathom
