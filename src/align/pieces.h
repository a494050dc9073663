// The data of a fine-tuning run in memory. A piece is what must be worked on together: a conversation, or the two
// answers of a preference. It has one or more rows of tokens.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "align/chat_encoding.h"

namespace fathom {

// What is known of a piece beside its tokens.
struct PieceLabel {
  double weight = 1;  // of a preference, or of a score
  double margin = 0;  // of a preference: how much better the chosen answer is at least
  bool tie = false;   // neither answer is better
  double score = 0;   // of a single answer
};

struct Piece {
  std::vector<EncodedRow> rows;  // of a preference: chosen, rejected
  PieceLabel label = {};
};

class Pieces {
 public:
  // Each row has at least two tokens.
  void add(const Piece& piece);

  int64_t count() const { return static_cast<int64_t>(labels_.size()); }
  int64_t rows() const { return static_cast<int64_t>(row_ends_.size()); }
  // The rows of a piece are first_row(piece) .. first_row(piece + 1) - 1.
  int64_t first_row(int64_t piece) const {
    return piece == 0 ? 0 : piece_ends_[static_cast<size_t>(piece) - 1];
  }
  const PieceLabel& label(int64_t piece) const { return labels_[static_cast<size_t>(piece)]; }

  std::span<const int32_t> tokens(int64_t row) const { return part(tokens_, row); }
  std::span<const float> weights(int64_t row) const { return part(weights_, row); }
  // Tokens that the model reads of a row: all but the last, which is only a target.
  int64_t inputs(int64_t row) const { return static_cast<int64_t>(tokens(row).size()) - 1; }
  int64_t piece_inputs(int64_t piece) const;
  // Whether some target's weight is neither 0 nor 1.
  bool weighted() const { return weighted_; }
  // Tells these pieces from any others.
  std::string hash() const;

  // The pieces from number `begin` on, which are no longer here then.
  Pieces split_off(int64_t begin);

 private:
  template <class T>
  std::span<const T> part(const std::vector<T>& all, int64_t row) const {
    const size_t i = static_cast<size_t>(row), begin = i == 0 ? 0 : row_ends_[i - 1];
    return std::span(all).subspan(begin, row_ends_[i] - begin);
  }
  Piece piece(int64_t number) const;

  std::vector<int32_t> tokens_;
  std::vector<float> weights_;
  std::vector<size_t> row_ends_;
  std::vector<int64_t> piece_ends_;
  std::vector<PieceLabel> labels_;
  bool weighted_ = false;
};

// Packs pieces of these lengths, each at most `room`, into windows: the longest first, each into the fullest
// window that still has room for it (best-fit decreasing). Returns the numbers of each window's pieces, in
// rising order. The same for the same lengths.
std::vector<std::vector<int64_t>> pack_pieces(std::span<const int64_t> lengths, int64_t room);

}  // namespace fathom
