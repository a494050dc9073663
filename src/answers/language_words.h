// The languages that language_of() knows, by script, with their commonest words where they share one.
#pragma once
#include <span>
#include <string_view>

namespace fathom {

enum class Script {
  none,  // no letter
  latin,
  greek,
  cyrillic,
  hebrew,
  arabic,
  devanagari,
  bengali,
  gurmukhi,
  gujarati,
  tamil,
  telugu,
  kannada,
  malayalam,
  thai,
  hangul,
  kana,
  han,
  count
};

struct LanguageWords {
  std::string_view code;
  Script script;
  std::string_view words;  // lower case, with blanks between
};
std::span<const LanguageWords> language_words();

}  // namespace fathom
