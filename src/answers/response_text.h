// What checks of a response ask of its text: its ends, its parts, what occurs in it. Texts are valid UTF-8.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "text/regex.h"

namespace fathom {

// Without Unicode blanks at both ends.
std::string_view stripped(std::string_view text);

// Between the separators, which do not overlap; at least one part.
std::vector<std::string_view> parts_between(std::string_view text, std::string_view separator);

// A regular expression of the program's own, or an escaped text.
class Pattern {
 public:
  explicit Pattern(std::string_view pattern) : regex_(pattern, "a check of a response") {}
  bool in(std::string_view text) { return regex_.find(text, 0, scratch_).has_value(); }
  // From left to right, without overlap.
  std::vector<std::string_view> matches(std::string_view text);

 private:
  Regex regex_;
  RegexScratch scratch_;
};

// How often a text occurs in another, in upper or lower case.
int64_t occurrences(std::string_view part, std::string_view text);

bool starts_with_any_case(std::string_view text, std::string_view start);
bool ends_with_any_case(std::string_view text, std::string_view end);

// Letters of one case only, and at least one; what has no case does not matter.
class LetterCase {
 public:
  bool upper(std::string_view text) { return upper_.in(text) && !not_upper_.in(text); }
  bool lower(std::string_view text) { return lower_.in(text) && !not_lower_.in(text); }

 private:
  Pattern upper_{R"(\p{Uppercase})"}, not_upper_{R"([\p{Lowercase}\p{Lt}])"};
  Pattern lower_{R"(\p{Lowercase})"}, not_lower_{R"([\p{Uppercase}\p{Lt}])"};
};

}  // namespace fathom
