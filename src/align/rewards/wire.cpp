#include "align/rewards/wire.h"

#include <algorithm>

#include "base/error.h"
#include "text/utf8.h"

namespace fathom {
namespace {

// NaN, Infinity and -Infinity outside strings become null.
std::string with_null_for_non_finite(const std::string& text) {
  std::string out;
  bool in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    if (in_string && text[i] == '\\') {
      out += text[i++];
      if (i < text.size()) out += text[i];
      continue;
    }
    if (text[i] == '"') in_string = !in_string;
    size_t length = 0;
    for (const std::string_view name : {"NaN", "-Infinity", "Infinity"})
      if (!in_string && length == 0 && std::string_view(text).substr(i).starts_with(name))
        length = name.size();
    if (length > 0) {
      out += "null";
      i += length - 1;
    } else {
      out += text[i];
    }
  }
  return out;
}

}  // namespace

Json answer_to_json(const RewardInput& answer, int64_t id) {
  return {{"id", id},
          {"text", answer.text},
          {"tokens", answer.tokens},
          {"truncated", answer.truncated},
          {"row", answer.row ? *answer.row : Json(nullptr)}};
}

std::string json_line(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::optional<Json> parse_sent(std::string text) {
  if (text.find('N') != std::string::npos || text.find("Inf") != std::string::npos)
    text = with_null_for_non_finite(text);
  try {
    return parse_json(text, "reply");
  } catch (const Error&) {  // a judge's fault is counted, and ends nothing
    return std::nullopt;
  }
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

std::string as_reason(std::string text) {
  constexpr size_t longest = 200;
  std::replace_if(
      text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < ' ' || c == 0x7f; }, ' ');
  text.resize(valid_utf8_prefix(std::string_view(text).substr(0, longest)));
  return text;
}

}  // namespace fathom
