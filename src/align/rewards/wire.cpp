#include "align/rewards/wire.h"

#include "text/sent_json.h"

namespace fathom {
Json answer_to_json(const RewardInput& answer, int64_t id) {
  return {{"id", id},
          {"text", answer.text},
          {"tokens", answer.tokens},
          {"truncated", answer.truncated},
          {"row", answer.row ? *answer.row : Json(nullptr)}};
}

std::optional<Score> score_from_json(const Json& json) {
  if (!json.is_object()) return std::nullopt;
  const auto id = json.find("id");
  if (id == json.end() || !id->is_number_integer()) return std::nullopt;
  const int64_t number = id->get<int64_t>();
  const auto reward = json.find("reward");
  if (reward == json.end()) return unscored(number, "the reply has no 'reward'");
  if (reward->is_number()) return Score{number, reward->get<double>(), ""};
  if (!reward->is_null()) return unscored(number, "the reply's 'reward' is not a number");
  const auto error = json.find("error");
  const bool explained = error != json.end() && error->is_string();
  return unscored(number, explained ? as_reason(error->get<std::string>())
                                    : "the reply's 'reward' is null or not finite");
}

}  // namespace fathom
