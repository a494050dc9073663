#include "answers/response_text.h"

#include "text/utf8.h"

namespace fathom {
namespace {

using View = std::string_view;

bool is_blank(uint32_t c) {
  return (c >= 0x09 && c <= 0x0d) || (c >= 0x1c && c <= 0x20) || c == 0x85 || c == 0xa0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f ||
         c == 0x3000;
}

bool continues(char c) {
  return (static_cast<unsigned char>(c) & 0xc0) == 0x80;
}

std::string any_case(View text) {
  return "(?i)" + escape_regex(text);
}

}  // namespace

View stripped(View text) {
  while (!text.empty()) {
    const CodePoint first = decode_valid_utf8(text.data());
    if (!is_blank(first.value)) break;
    text.remove_prefix(static_cast<size_t>(first.length));
  }
  while (!text.empty()) {
    size_t last = text.size() - 1;
    while (last > 0 && continues(text[last])) --last;
    if (!is_blank(decode_valid_utf8(text.data() + last).value)) break;
    text = text.substr(0, last);
  }
  return text;
}

std::vector<View> parts_between(View text, View separator) {
  std::vector<View> parts;
  for (size_t at; (at = text.find(separator)) != View::npos; text.remove_prefix(at + separator.size()))
    parts.push_back(text.substr(0, at));
  parts.push_back(text);
  return parts;
}

std::vector<View> Pattern::matches(View text) {
  std::vector<View> found;
  for (size_t at = 0; at <= text.size();) {
    const std::optional<RegexMatch> match = regex_.find(text, at, scratch_);
    if (!match) break;
    found.push_back(text.substr(match->begin, match->end - match->begin));
    at = match->end > match->begin ? match->end : match->end + 1;
    while (at < text.size() && continues(text[at])) ++at;
  }
  return found;
}

int64_t occurrences(View part, View text) {
  return std::ssize(Pattern(any_case(part)).matches(text));
}

bool starts_with_any_case(View text, View start) {
  return Pattern("\\A" + any_case(start)).in(text);
}

bool ends_with_any_case(View text, View end) {
  return Pattern(any_case(end) + "\\z").in(text);
}

}  // namespace fathom
