// Encoded rows in memory, one after another, and their packing into windows.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "align/chat_encoding.h"

namespace fathom {

class TokenRows {
 public:
  // At least two tokens.
  void add(const EncodedRow& row);

  int64_t count() const { return static_cast<int64_t>(ends_.size()); }
  std::span<const int32_t> tokens(int64_t row) const { return part(tokens_, row); }
  std::span<const float> weights(int64_t row) const { return part(weights_, row); }
  // Tokens that the model reads of a row: all but the last, which is only a target.
  int64_t inputs(int64_t row) const { return static_cast<int64_t>(tokens(row).size()) - 1; }
  // Whether some target's weight is neither 0 nor 1.
  bool weighted() const { return weighted_; }
  // Tells these rows from any others.
  std::string hash() const;

 private:
  template <class T>
  std::span<const T> part(const std::vector<T>& all, int64_t row) const {
    const size_t i = static_cast<size_t>(row), begin = i == 0 ? 0 : ends_[i - 1];
    return std::span(all).subspan(begin, ends_[i] - begin);
  }

  std::vector<int32_t> tokens_;
  std::vector<float> weights_;
  std::vector<size_t> ends_;
  bool weighted_ = false;
};

// Packs pieces of these lengths, each at most `room`, into windows: the longest first, each into the fullest
// window that still has room for it (best-fit decreasing). Returns the numbers of each window's pieces, in
// rising order. The same for the same lengths.
std::vector<std::vector<int64_t>> pack_pieces(std::span<const int64_t> lengths, int64_t room);

}  // namespace fathom
