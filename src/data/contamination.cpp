#include "data/contamination.h"

#include <algorithm>

#include "base/error.h"

namespace fathom {

Contamination::Contamination(const WordSplitter& splitter, size_t gram_words)
    : splitter_(splitter), gram_words_(gram_words) {
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
  for (size_t i = 0; i + n <= words_.size(); ++i)
    grams_[n].insert(gram_hash(&words_[i], n), static_cast<uint32_t>(places_.size() - 1));
}

std::optional<Contamination::Match> Contamination::find(std::span<const Word> words) const {
  for (size_t i = 0; i < words.size(); ++i)
    for (const auto& [n, grams] : grams_) {
      if (i + n > words.size()) break;
      if (const uint32_t* place = grams.find(gram_hash(&words[i], n))) return Match{i, n, &places_[*place]};
    }
  return std::nullopt;
}

}  // namespace fathom
