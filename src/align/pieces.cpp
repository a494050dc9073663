#include "align/pieces.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <map>
#include <numeric>

#include "io/content_hash.h"

namespace fathom {

void Pieces::add(const Piece& piece) {
  for (const EncodedRow& row : piece.rows) {
    assert(row.tokens.size() >= 2 && row.tokens.size() == row.weights.size());
    tokens_.insert(tokens_.end(), row.tokens.begin(), row.tokens.end());
    weights_.insert(weights_.end(), row.weights.begin(), row.weights.end());
    row_ends_.push_back(tokens_.size());
    weighted_ = weighted_ || std::any_of(row.weights.begin(), row.weights.end(),
                                         [](float w) { return w != 0 && w != 1; });
  }
  piece_ends_.push_back(rows());
  labels_.push_back(piece.label);
}

int64_t Pieces::piece_inputs(int64_t piece) const {
  int64_t sum = 0;
  for (int64_t row = first_row(piece); row < first_row(piece + 1); ++row) sum += inputs(row);
  return sum;
}

Piece Pieces::piece(int64_t number) const {
  Piece piece{.rows = {}, .label = label(number)};
  for (int64_t row = first_row(number); row < first_row(number + 1); ++row)
    piece.rows.push_back({{tokens(row).begin(), tokens(row).end()}, {weights(row).begin(), weights(row).end()}});
  return piece;
}

Pieces Pieces::split_off(int64_t begin) {
  Pieces first, rest;
  for (int64_t p = 0; p < count(); ++p) (p < begin ? first : rest).add(piece(p));
  *this = std::move(first);
  return rest;
}

std::string Pieces::hash() const {
  ContentHash hash;
  hash.add(std::as_bytes(std::span(tokens_)));
  hash.add(std::as_bytes(std::span(weights_)));
  hash.add(std::as_bytes(std::span(row_ends_)));
  hash.add(std::as_bytes(std::span(piece_ends_)));
  for (const PieceLabel& l : labels_) {
    const std::array<double, 4> numbers = {l.weight, l.margin, l.tie ? 1.0 : 0.0, l.score};
    hash.add(std::as_bytes(std::span(numbers)));
  }
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
