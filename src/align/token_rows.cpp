#include "align/token_rows.h"

#include <algorithm>
#include <cassert>
#include <map>
#include <numeric>

#include "io/content_hash.h"

namespace fathom {

void TokenRows::add(const EncodedRow& row) {
  assert(row.tokens.size() >= 2 && row.tokens.size() == row.weights.size());
  tokens_.insert(tokens_.end(), row.tokens.begin(), row.tokens.end());
  weights_.insert(weights_.end(), row.weights.begin(), row.weights.end());
  ends_.push_back(tokens_.size());
  weighted_ = weighted_ ||
              std::any_of(row.weights.begin(), row.weights.end(), [](float w) { return w != 0 && w != 1; });
}

std::string TokenRows::hash() const {
  ContentHash hash;
  hash.add(std::as_bytes(std::span(tokens_)));
  hash.add(std::as_bytes(std::span(weights_)));
  hash.add(std::as_bytes(std::span(ends_)));
  return hash.digest();
}

std::vector<std::vector<int64_t>> pack_pieces(std::span<const int64_t> lengths, int64_t room) {
  std::vector<int64_t> order(lengths.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
    return lengths[static_cast<size_t>(a)] > lengths[static_cast<size_t>(b)];
  });
  std::vector<std::vector<int64_t>> windows;
  std::multimap<int64_t, size_t> open;  // by the room that is left
  for (const int64_t piece : order) {
    const int64_t length = lengths[static_cast<size_t>(piece)];
    assert(length <= room);
    auto fits = open.lower_bound(length);
    const size_t window = fits == open.end() ? windows.size() : fits->second;
    const int64_t left = (fits == open.end() ? room : fits->first) - length;
    if (fits == open.end())
      windows.emplace_back();
    else
      open.erase(fits);
    windows[window].push_back(piece);
    if (left > 0) open.emplace(left, window);
  }
  for (std::vector<int64_t>& window : windows) std::sort(window.begin(), window.end());
  return windows;
}

}  // namespace fathom
