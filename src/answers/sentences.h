// Sentences and words of a response, counted as the tools that IFEval counts with do: Punkt's rules for ends
// of sentences (Kiss and Strunk 2006), the Treebank's for words.
#pragma once
#include <cstdint>
#include <string_view>

namespace fathom {

// In valid UTF-8. What stands for Punkt's trained model is a list of abbreviations and of words that begin
// sentences, so that the count may differ where an abbreviation decides.
int64_t count_sentences(std::string_view text);

// Runs of letters, digits and underscores.
int64_t count_words(std::string_view text);

// Words all of whose letters are capitals. Punctuation and what follows an apostrophe (I'M, DON'T) stand
// apart, hyphens do not.
int64_t count_capital_words(std::string_view text);

}  // namespace fathom
