// Steps by which an answer and its key are made alike before they are compared letter by letter.
#pragma once
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace fathom {

enum class Normalisation {
  trim,                  // no blanks at the ends
  spaces,                // any run of blanks is one blank
  lower,                 // letters in lower case
  punctuation,           // ASCII punctuation is left out
  punctuation_as_blank,  // ASCII punctuation and the quotes ‘ ’ ´ are blanks (TriviaQA's evaluator)
  cmrc_punctuation,      // the marks that CMRC's evaluator leaves out, Chinese ones among them
  articles,              // the words a, an and the are left out
  thousands,             // 1,234 is 1234
  commas                 // commas are left out
};

// "trim", "spaces", ... Error naming `where` for an unknown one.
Normalisation parse_normalisation(const std::string& name, const std::string& where);

// In the order given.
std::string normalised(std::string_view text, std::span<const Normalisation> steps);

}  // namespace fathom
