// Windows of pieces: each holds several whole pieces, whose rows do not see each other. A window's place is its
// number.
#pragma once
#include <vector>

#include "align/pieces.h"
#include "train/windows.h"

namespace fathom {

// What a mean loss is taken over.
enum class MeanOver { targets, pieces };

class RowWindows : public Windows {
 public:
  // `windows` has the pieces of each. What pack() calls piece p is p + first_piece: the pieces of training and
  // of validation have numbers of their own.
  RowWindows(Pieces pieces, std::vector<std::vector<int64_t>> windows, MeanOver mean,
             int64_t first_piece = 0);

  // PackedBatch::rows are the pieces of the sequences. All tokens are one unit of token dropping: rows differ
  // in length.
  void pack(std::span<const int64_t> places, PackedBatch& out) const override;
  WindowSize size(int64_t place) const override { return sizes_[static_cast<size_t>(place)]; }

  const Pieces& pieces() const { return pieces_; }
  int64_t count() const { return static_cast<int64_t>(windows_.size()); }

 private:
  WindowSize size_of(const std::vector<int64_t>& window, MeanOver mean) const;
  void append(int64_t row, PackedBatch& out) const;

  Pieces pieces_;
  std::vector<std::vector<int64_t>> windows_;
  std::vector<WindowSize> sizes_;
  bool weighted_;
  int64_t first_piece_;
};

}  // namespace fathom
