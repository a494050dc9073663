// Answers that are words: "\text{Yes}", "(B)", "north".
#pragma once
#include <optional>
#include <string>
#include <string_view>

namespace fathom {

struct AnswerWords {
  std::string text;     // lower case, single blanks
  bool surely = false;  // three letters or more, or inside \text: no product of variables
};

// Nothing when there is anything but letters and punctuation.
std::optional<AnswerWords> answer_words(std::string_view answer);

}  // namespace fathom
