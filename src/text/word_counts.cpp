#include "text/word_counts.h"

#include <algorithm>

#include "base/threads.h"
#include "text/utf8.h"

namespace fathom {
namespace {
constexpr size_t block_bytes = 1 << 20, pending_limit = 32 << 20;
}

WordCounts::WordCounts(const PreTokenizer& pre_tokenizer, int threads)
    : pre_tokenizer_(pre_tokenizer), maps_(static_cast<size_t>(std::max(1, threads))) {}

void WordCounts::add(std::string_view document) {
  while (!document.empty()) {
    size_t size = document.size();
    if (size > block_bytes) {
      const size_t newline = document.find('\n', block_bytes);
      if (newline != std::string_view::npos) size = newline + 1;
    }
    pending_.emplace_back(document.substr(0, size));
    pending_bytes_ += size;
    document.remove_prefix(size);
    if (pending_bytes_ >= pending_limit) count_pending();
  }
}

void WordCounts::count_pending() {
  std::vector<RegexScratch> scratch(maps_.size());
  parallel_tasks(static_cast<int>(maps_.size()), static_cast<int64_t>(pending_.size()),
                 [&](int thread, int64_t i) {
                   count(pending_[static_cast<size_t>(i)], maps_[static_cast<size_t>(thread)],
                         scratch[static_cast<size_t>(thread)]);
                 });
  pending_.clear();
  pending_bytes_ = 0;
}

void WordCounts::count(std::string_view text, Map& map, RegexScratch& scratch) const {
  const PieceSink sink = [&map](std::string_view piece) {
    if (const auto it = map.find(piece); it != map.end())
      ++it->second;
    else
      map.emplace(piece, 1);
  };
  while (!text.empty()) {
    const size_t valid = valid_utf8_prefix(text);
    pre_tokenizer_.split(text.substr(0, valid), scratch, sink);
    text.remove_prefix(std::min(text.size(), valid + 1));
  }
}

std::vector<std::pair<std::string, int64_t>> WordCounts::take() {
  count_pending();
  Map& all = maps_[0];
  for (size_t i = 1; i < maps_.size(); ++i) {
    for (const auto& [word, n] : maps_[i]) all[word] += n;
    maps_[i].clear();
  }
  std::vector<std::pair<std::string, int64_t>> words(all.begin(), all.end());
  all.clear();
  std::sort(words.begin(), words.end());
  return words;
}

}  // namespace fathom
