// Words and letters that a response must have, or must not. Case does not matter.
#include <algorithm>
#include <array>

#include "answers/instruction_kinds.h"
#include "answers/response_text.h"
#include "base/error.h"
#include "text/utf8.h"

namespace fathom {
namespace {

using View = std::string_view;

std::vector<std::string> words_of(const JsonObject& arguments, const std::string& name) {
  auto words = arguments.required<std::vector<std::string>>(name);
  check(!words.empty(), "{}: {} is empty", arguments.where(), name);
  for (const std::string& word : words)
    check(!word.empty() && valid_utf8_prefix(word) == word.size(),
          "{}: {} has an empty word, or one that is not UTF-8", arguments.where(), name);
  return words;
}

// Anywhere, inside other words too.
InstructionCheck existence(const JsonObject& arguments) {
  return [words = words_of(arguments, "keywords")](View response) {
    return followed_if(std::all_of(words.begin(), words.end(),
                                   [&](const std::string& word) { return occurrences(word, response) > 0; }));
  };
}

InstructionCheck frequency(const JsonObject& arguments) {
  return [word = text_of(arguments, "keyword"), bound = bound_of(arguments, "relation", "frequency")](
             View response) { return bound.holds(occurrences(word, response)); };
}

// Only as words of their own: a letter, a digit or an underscore joins no other at their ends.
InstructionCheck forbidden_words(const JsonObject& arguments) {
  return [words = words_of(arguments, "forbidden_words")](View response) {
    return followed_if(std::none_of(words.begin(), words.end(), [&](const std::string& word) {
      return Pattern("(?i)\\b" + escape_regex(word) + "\\b").in(response);
    }));
  };
}

InstructionCheck letter_frequency(const JsonObject& arguments) {
  const std::string letter = text_of(arguments, "letter");
  check(decode_valid_utf8(letter.data()).length == static_cast<int>(letter.size()),
        "{}: letter must be one character, got '{}'", arguments.where(), letter);
  return [letter, bound = bound_of(arguments, "let_relation", "let_frequency")](View response) {
    return bound.holds(occurrences(letter, response));
  };
}

constexpr auto kinds = std::to_array<InstructionKind>({{"keywords:existence", existence},
                                                       {"keywords:frequency", frequency},
                                                       {"keywords:forbidden_words", forbidden_words},
                                                       {"keywords:letter_frequency", letter_frequency}});

}  // namespace

std::span<const InstructionKind> keyword_instructions() {
  return kinds;
}

}  // namespace fathom
