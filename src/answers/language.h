// The language of a text, without a trained model: by its script, and among languages of one script by the
// share of their commonest words.
#pragma once
#include <optional>
#include <string>
#include <string_view>

namespace fathom {

// An ISO 639-1 code; nothing where that does not decide: no letters, or none of the script's languages, or
// several of them alike, have their words in it. Most of the letters decide, so that names and terms in
// another script do not matter. Valid UTF-8.
std::optional<std::string> language_of(std::string_view text);

// Whether language_of() can name it.
bool is_known_language(std::string_view code);

}  // namespace fathom
