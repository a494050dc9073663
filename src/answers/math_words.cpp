#include "answers/math_words.h"

#include <initializer_list>

namespace fathom {
namespace {

// Bytes of the command \text and its kin at the start of `text`; 0 if none is there.
size_t text_command(std::string_view text) {
  for (const std::string_view name : {"\\textbf", "\\textit", "\\textrm", "\\text", "\\mathrm", "\\mbox"})
    if (text.starts_with(name) && text.substr(name.size()).starts_with('{')) return name.size();
  return 0;
}

}  // namespace

std::optional<AnswerWords> answer_words(std::string_view answer) {
  AnswerWords words;
  size_t letters = 0;
  bool blank = false;
  for (size_t at = 0; at < answer.size(); ++at) {
    const char c = answer[at];
    const bool upper = c >= 'A' && c <= 'Z', letter = upper || (c >= 'a' && c <= 'z') || (c & 0x80);
    if (letter) {
      if (blank && !words.text.empty()) words.text += ' ';
      blank = false;
      words.text += upper ? static_cast<char>(c - 'A' + 'a') : c;
      ++letters;
    } else if (c == '\\') {
      const size_t length = text_command(answer.substr(at));
      if (length == 0) return std::nullopt;
      at += length - 1;
      words.surely = true;
    } else if (c == ' ' || c == '\n' || c == '\t' || c == '-' || c == '~') {
      blank = true;
    } else if (std::string_view("(){}$\"'.!?*`").find(c) == std::string_view::npos) {
      return std::nullopt;
    }
  }
  if (words.text.empty()) return std::nullopt;
  words.surely = words.surely || letters >= 3;
  return words;
}

}  // namespace fathom
