#include "judge/prompt_text.h"

#include "base/error.h"

namespace fathom {
namespace {

bool is_name_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

// The name of the place that begins here; empty: none does.
std::string_view place_at(std::string_view text, size_t at) {
  if (text[at] != '{') return {};
  size_t end = at + 1;
  while (end < text.size() && is_name_char(text[end])) ++end;
  return end < text.size() && text[end] == '}' ? text.substr(at + 1, end - at - 1) : std::string_view();
}

}  // namespace

PromptText::PromptText(std::string_view text, Braces braces) {
  literals_.emplace_back();
  for (size_t at = 0; at < text.size(); ++at) {
    const bool brace = text[at] == '{' || text[at] == '}';
    if (braces == Braces::doubled && brace && at + 1 < text.size() && text[at + 1] == text[at]) {
      literals_.back() += text[at++];
    } else if (const std::string_view name = place_at(text, at); !name.empty()) {
      names_.emplace_back(name);
      literals_.emplace_back();
      at += name.size() + 1;
    } else {
      literals_.back() += text[at];
    }
  }
}

std::string PromptText::fill(const std::map<std::string, std::string>& values,
                             const std::string& where) const {
  std::string out = literals_[0];
  for (size_t i = 0; i < names_.size(); ++i) {
    const auto found = values.find(names_[i]);
    check(found != values.end(), "{}: nothing is known for the place '{{{}}}'", where, names_[i]);
    out += found->second + literals_[i + 1];
  }
  return out;
}

}  // namespace fathom
