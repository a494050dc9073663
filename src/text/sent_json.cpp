#include "text/sent_json.h"

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

std::string json_line(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string json_line(const OrderedJson& json) {
  return json.dump(-1, ' ', false, OrderedJson::error_handler_t::replace);
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

std::string as_reason(std::string text) {
  constexpr size_t longest = 200;
  std::replace_if(
      text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < ' ' || c == 0x7f; }, ' ');
  text.resize(valid_utf8_prefix(std::string_view(text).substr(0, longest)));
  return text;
}

}  // namespace fathom
