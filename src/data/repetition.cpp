#include "data/repetition.h"

#include <algorithm>

namespace fathom {
namespace {

Repeats repeated_pieces(std::string_view text, std::string_view separator, GramCounts& counts) {
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
    if (counts.insert(word_hash(piece), 1).second) continue;
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

Repeats repeated_lines(std::string_view text, GramCounts& counts) {
  return repeated_pieces(text, "\n", counts);
}

Repeats repeated_paragraphs(std::string_view text, GramCounts& counts) {
  return repeated_pieces(text, "\n\n", counts);
}

double top_gram_share(std::span<const Word> words, size_t n, GramCounts& counts) {
  if (words.size() < n + 1) return 0;
  counts.reset(words.size());
  uint64_t top = 0;
  for (size_t i = 0; i + n <= words.size(); ++i) {
    const auto [count, is_new] = counts.insert(gram_hash(&words[i], n), 1);
    if (!is_new) top = std::max(top, ++*count * characters_of(words.subspan(i, n)));
  }
  return std::min(1.0, static_cast<double>(top) / static_cast<double>(characters_of(words)));
}

double repeated_gram_share(std::span<const Word> words, size_t n, GramCounts& counts) {
  if (words.size() < n + 1) return 0;
  counts.reset(words.size());
  uint64_t repeated = 0;
  size_t covered = 0;  // words before this one are counted or past
  for (size_t i = 0; i + n <= words.size(); ++i) {
    if (counts.insert(gram_hash(&words[i], n), 1).second) continue;
    const size_t begin = std::max(i, covered);
    repeated += characters_of(words.subspan(begin, i + n - begin));
    covered = i + n;
  }
  return static_cast<double>(repeated) / static_cast<double>(characters_of(words));
}

}  // namespace fathom
