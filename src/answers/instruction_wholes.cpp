// What a response must be as a whole: its parts, its ends, its case, its language.
#include <array>

#include "answers/instruction_kinds.h"
#include "answers/language.h"
#include "answers/response_text.h"
#include "answers/sentences.h"

namespace fathom {
namespace {

using View = std::string_view;

// Two different ones with ****** between.
InstructionCheck two_responses(const JsonObject&) {
  return [](View response) {
    const std::vector<View> parts = parts_between(response, "******");
    std::vector<View> given;
    for (size_t i = 0; i < parts.size(); ++i) {
      const View part = stripped(parts[i]);
      if (part.empty() && i > 0 && i + 1 < parts.size()) return Followed::no;
      if (!part.empty()) given.push_back(part);
    }
    return followed_if(given.size() == 2 && given[0] != given[1]);
  };
}

InstructionCheck repeat_prompt(const JsonObject& arguments) {
  return [prompt = text_of(arguments, "prompt_to_repeat")](View response) {
    return followed_if(starts_with_any_case(stripped(response), prompt));
  };
}

// A quotation mark may stand behind the phrase.
InstructionCheck end_checker(const JsonObject& arguments) {
  return [phrase = text_of(arguments, "end_phrase")](View response) {
    response = stripped(response);
    while (response.ends_with('"')) response.remove_suffix(1);
    return followed_if(ends_with_any_case(response, phrase));
  };
}

InstructionCheck quotation(const JsonObject&) {
  return [](View response) {
    response = stripped(response);
    return followed_if(response.size() > 1 && response.starts_with('"') && response.ends_with('"'));
  };
}

InstructionCheck no_comma(const JsonObject&) {
  return [](View response) { return followed_if(response.find(',') == View::npos); };
}

InstructionCheck capital_word_frequency(const JsonObject& arguments) {
  return [bound = bound_of(arguments, "capital_relation", "capital_frequency")](View response) {
    return bound.holds(count_capital_words(response));
  };
}

Followed is_in_language(View response, const std::string& code) {
  if (!is_known_language(code)) return Followed::unknown;
  const std::optional<std::string> found = language_of(response);
  return found ? followed_if(*found == code) : Followed::unknown;
}

InstructionCheck english_capital(const JsonObject&) {
  return [](View response) {
    return LetterCase().upper(response) ? is_in_language(response, "en") : Followed::no;
  };
}

InstructionCheck english_lowercase(const JsonObject&) {
  return [](View response) {
    return LetterCase().lower(response) ? is_in_language(response, "en") : Followed::no;
  };
}

// zh-cn and zh-tw are not told apart.
InstructionCheck response_language(const JsonObject& arguments) {
  const std::string code = text_of(arguments, "language");
  return [code = code.substr(0, code.find('-'))](View response) { return is_in_language(response, code); };
}

constexpr auto kinds =
    std::to_array<InstructionKind>({{"combination:two_responses", two_responses},
                                    {"combination:repeat_prompt", repeat_prompt},
                                    {"startend:end_checker", end_checker},
                                    {"startend:quotation", quotation},
                                    {"punctuation:no_comma", no_comma},
                                    {"change_case:capital_word_frequency", capital_word_frequency},
                                    {"change_case:english_capital", english_capital},
                                    {"change_case:english_lowercase", english_lowercase},
                                    {"language:response_language", response_language}});

}  // namespace

std::span<const InstructionKind> whole_instructions() {
  return kinds;
}

}  // namespace fathom
