#include "data/contamination.h"

#include <algorithm>

#include "base/error.h"

namespace fathom {

Contamination::Contamination(const WordSplitter& splitter, size_t gram_words)
    : splitter_(splitter), gram_words_(gram_words), beginnings_((size_t{1} << slot_bits) / 64) {
  check(gram_words >= shortest, "evaluation text is found by runs of at least {} words, got {}", shortest,
        gram_words);
}

void Contamination::add(std::string_view text, const std::string& place) {
  ++texts_;
  splitter_.split(text, words_);
  if (words_.size() < shortest) {
    ++too_short_;
    return;
  }
  if (places_.empty() || places_.back() != place) places_.push_back(place);
  const size_t n = std::min(gram_words_, words_.size());
  for (size_t i = 0; i + n <= words_.size(); ++i) {
    const uint64_t beginning = longer_gram_hash(0, &words_[i], shortest);
    beginnings_[slot(beginning) / 64] |= uint64_t{1} << slot(beginning) % 64;
    grams_[n].insert(longer_gram_hash(beginning, words_.data() + i + shortest, n - shortest),
                     static_cast<uint32_t>(places_.size() - 1));
  }
}

std::optional<Contamination::Match> Contamination::find(std::span<const Word> words) const {
  for (size_t i = 0; i + shortest <= words.size(); ++i) {
    uint64_t hash = longer_gram_hash(0, &words[i], shortest);
    if ((beginnings_[slot(hash) / 64] >> slot(hash) % 64 & 1) == 0) continue;
    size_t hashed = shortest;
    for (const auto& [n, grams] : grams_) {
      if (i + n > words.size()) break;
      hash = longer_gram_hash(hash, words.data() + i + hashed, n - hashed);
      hashed = n;
      if (const uint32_t* place = grams.find(hash)) return Match{i, n, &places_[*place]};
    }
  }
  return std::nullopt;
}

}  // namespace fathom
