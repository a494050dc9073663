// Which training texts hold a piece of an evaluation text: a run of n words (13, as in Brown et al. 2020),
// compared as data/words.h normalises them, so across line ends, punctuation and case. An evaluation text of
// fewer than n words is looked for whole, unless it has fewer than `shortest`, such as "yes" or a single
// number: these stand in any text.
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "data/flat_map.h"
#include "data/words.h"

namespace fathom {

class Contamination {
 public:
  static constexpr size_t shortest = 8;

  Contamination(const WordSplitter& splitter, size_t gram_words);

  void add(std::string_view evaluation_text, const std::string& place);
  int64_t texts() const { return texts_; }
  int64_t too_short() const { return too_short_; }  // of them, not looked for

  struct Match {
    size_t first, words;       // of the training text
    const std::string* place;  // of the evaluation text
  };
  // The first match in the text.
  std::optional<Match> find(std::span<const Word> words) const;

 private:
  static constexpr int slot_bits = 24;
  static size_t slot(uint64_t hash) { return hash >> (64 - slot_bits); }

  const WordSplitter& splitter_;
  size_t gram_words_;
  std::map<size_t, FlatMap<uint32_t>> grams_;  // by their number of words: hash to an index of places_
  // How all of them begin, as bits of the hashes of their first words: elsewhere one look is enough.
  std::vector<uint64_t> beginnings_;
  std::vector<std::string> places_;
  std::vector<Word> words_;
  int64_t texts_ = 0, too_short_ = 0;
};

}  // namespace fathom
