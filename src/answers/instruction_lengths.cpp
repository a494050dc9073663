// How long a response must be.
#include <algorithm>
#include <array>

#include "answers/instruction_kinds.h"
#include "answers/response_text.h"
#include "answers/sentences.h"
#include "base/error.h"

namespace fathom {
namespace {

using View = std::string_view;

InstructionCheck number_sentences(const JsonObject& arguments) {
  return [bound = bound_of(arguments, "relation", "num_sentences")](View response) {
    return bound.holds(count_sentences(response));
  };
}

InstructionCheck number_words(const JsonObject& arguments) {
  return [bound = bound_of(arguments, "relation", "num_words")](View response) {
    return bound.holds(count_words(response));
  };
}

// Exactly so many, with *** between; at the ends there may be one more.
InstructionCheck number_paragraphs(const JsonObject& arguments) {
  return [number = count_of(arguments, "num_paragraphs")](View response) {
    const std::vector<View> parts = parts_between(response, "***");
    int64_t n = std::ssize(parts);
    for (size_t i = 0; i < parts.size(); ++i) {
      if (!stripped(parts[i]).empty()) continue;
      if (i > 0 && i + 1 < parts.size()) return Followed::no;
      --n;
    }
    return followed_if(n == number);
  };
}

// Up to its first blank or punctuation, without a quote before it.
View first_word(View paragraph) {
  View word = paragraph.substr(0, paragraph.find_first_of(" \t\r\n\f\v"));
  for (const char quote : {'\'', '"'})
    while (word.starts_with(quote)) word.remove_prefix(1);
  return word.substr(0, word.find_first_of(".,?!'\""));
}

// Exactly so many paragraphs with an empty line between, one of which begins with a word.
InstructionCheck nth_paragraph_first_word(const JsonObject& arguments) {
  const int64_t number = count_of(arguments, "num_paragraphs"), nth = count_of(arguments, "nth_paragraph");
  check(nth >= 1 && nth <= number, "{}: nth_paragraph must be 1 to {}, got {}", arguments.where(), number,
        nth);
  return [number, nth, wanted = text_of(arguments, "first_word")](View response) {
    const std::vector<View> parts = parts_between(response, "\n\n");
    int64_t n = 0;
    for (const View part : parts) n += !stripped(part).empty();
    // Blank paragraphs have a place, but do not count.
    const View word = first_word(stripped(parts[static_cast<size_t>(std::min(nth, std::ssize(parts)) - 1)]));
    return followed_if(n == number && starts_with_any_case(word, wanted) && ends_with_any_case(wanted, word));
  };
}

constexpr auto kinds = std::to_array<InstructionKind>(
    {{"length_constraints:number_sentences", number_sentences},
     {"length_constraints:number_words", number_words},
     {"length_constraints:number_paragraphs", number_paragraphs},
     {"length_constraints:nth_paragraph_first_word", nth_paragraph_first_word}});

}  // namespace

std::span<const InstructionKind> length_instructions() {
  return kinds;
}

}  // namespace fathom
