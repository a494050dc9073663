#include "data/repetition.h"

#include <algorithm>
#include <cassert>

namespace fathom {
namespace {

Repeats repeated_pieces(std::string_view text, std::string_view separator, RepetitionScratch& scratch) {
  auto& counts = scratch.counts;
  counts.reset(16);
  size_t pieces = 0, bytes = 0, repeated = 0, repeated_bytes = 0;
  while (!text.empty()) {
    const size_t end = std::min(text.find(separator), text.size());
    std::string_view piece = text.substr(0, end);
    text.remove_prefix(std::min(end + separator.size(), text.size()));
    const size_t first = piece.find_first_not_of(" \t\r\n");
    if (first == std::string_view::npos) continue;
    piece = piece.substr(first, piece.find_last_not_of(" \t\r\n") + 1 - first);
    ++pieces;
    bytes += piece.size();
    if (counts.insert(word_hash(piece), {}).second) continue;
    ++repeated;
    repeated_bytes += piece.size();
  }
  if (pieces == 0) return {};
  return {static_cast<double>(repeated) / static_cast<double>(pieces),
          static_cast<double>(repeated_bytes) / static_cast<double>(bytes)};
}

uint64_t characters_of(std::span<const Word> words) {
  uint64_t sum = 0;
  for (const Word& word : words) sum += word.characters;
  return sum;
}

}  // namespace

Repeats repeated_lines(std::string_view text, RepetitionScratch& scratch) {
  return repeated_pieces(text, "\n", scratch);
}

Repeats repeated_paragraphs(std::string_view text, RepetitionScratch& scratch) {
  return repeated_pieces(text, "\n\n", scratch);
}

// Makes the runs n words long, and calls visit(begin, count) for each that stood there before, in order.
template <class Visit>
void RepeatedRuns::grow(size_t n, const Visit& visit) {
  assert(n > length_);
  auto& [counts, runs] = scratch_;
  if (length_ == 0) {
    runs.clear();
    for (uint32_t i = 0; i < words_.size(); ++i) runs.push_back({0, i, false});
  }
  while (!runs.empty() && runs.back().begin + n > words_.size()) runs.pop_back();
  counts.reset(runs.size());
  for (uint32_t i = 0; i < runs.size(); ++i) {
    RepetitionScratch::Run& run = runs[i];
    run.hash = longer_gram_hash(run.hash, &words_[run.begin + length_], n - length_);
    run.again = false;
    const auto [count, is_new] = counts.insert(run.hash, {1, i});
    if (is_new) continue;
    run.again = runs[count->first].again = true;
    visit(run.begin, ++count->count);
  }
  std::erase_if(runs, [](const RepetitionScratch::Run& run) { return !run.again; });
  length_ = n;
}

double RepeatedRuns::share(uint64_t characters) const {
  return characters == 0 ? 0 : static_cast<double>(characters) / static_cast<double>(characters_of(words_));
}

double RepeatedRuns::top_share(size_t n) {
  uint64_t top = 0;
  grow(n, [&](size_t begin, uint64_t count) {
    top = std::max(top, count * characters_of(words_.subspan(begin, n)));
  });
  return std::min(1.0, share(top));
}

double RepeatedRuns::repeated_share(size_t n) {
  uint64_t repeated = 0;
  size_t covered = 0;  // words before this one are counted or past
  grow(n, [&](size_t at, uint64_t) {
    const size_t begin = std::max(at, covered);
    repeated += characters_of(words_.subspan(begin, at + n - begin));
    covered = at + n;
  });
  return share(repeated);
}

}  // namespace fathom
