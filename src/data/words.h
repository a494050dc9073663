// A text as words: the one normalisation behind near duplicates, quality rules and contamination. A word is a
// run of letters, marks and digits, without regard to the case of ASCII, Latin-1, Greek and Cyrillic letters;
// what lies between words (white space, line ends, punctuation, malformed UTF-8) does not matter. In scripts
// that are written without spaces every character is a word.
#pragma once
#include <cstdint>
#include <string_view>
#include <vector>

#include "text/char_classes.h"

namespace fathom {

struct Word {
  uint64_t hash;        // of the normalised word
  uint32_t begin, end;  // bytes in the text
  uint32_t characters;
  bool has_letter;
  bool latin;      // its first character is a Latin letter
  bool spaceless;  // a character of Chinese, Japanese, Thai, Lao, Khmer or Burmese
};

class WordSplitter {
 public:
  WordSplitter();
  // Replaces the content of `words`. Safe from several threads.
  void split(std::string_view text, std::vector<Word>& words) const;

 private:
  CharClasses classes_;
};

// The hash of words [first, first + n) in their order.
uint64_t gram_hash(const Word* first, size_t n);
// The hash of a run of words from that of its beginning, `hash` (0 for none), and the n words behind it. Only
// comparable with others made in this way.
uint64_t longer_gram_hash(uint64_t hash, const Word* next, size_t n);

// The hash of a single word that is normalised already, for tables of words.
uint64_t word_hash(std::string_view word);

}  // namespace fathom
