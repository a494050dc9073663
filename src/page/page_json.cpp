#include "page/page_json.h"

#include <fmt/format.h>

#include <cstdlib>

namespace fathom {
namespace {

bool inside_character(const std::string& text, size_t at) {
  return (static_cast<unsigned char>(text[at]) & 0xc0) == 0x80;
}

}  // namespace

std::string script_json(const OrderedJson& json) {
  std::string text;
  for (const char c : json.dump(-1, ' ', true, OrderedJson::error_handler_t::replace))
    c == '<' ? text += "\\u003c" : text += c;
  return text;
}

double rounded(double value) {
  return std::strtod(fmt::format("{:.7g}", value).c_str(), nullptr);
}

std::string shortened(std::string text, size_t most) {
  if (text.size() <= most) return text;
  while (most > 0 && inside_character(text, most)) --most;
  text.resize(most);
  return text + " [...]";
}

std::string shortened_left(std::string text, size_t most) {
  if (text.size() <= most) return text;
  size_t begin = text.size() - most;
  while (begin < text.size() && inside_character(text, begin)) ++begin;
  return "[...] " + text.substr(begin);
}

}  // namespace fathom
