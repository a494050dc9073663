// Windows of rows: each holds several whole rows, which do not see each other. A window's place is its number.
#pragma once
#include <vector>

#include "align/token_rows.h"
#include "train/windows.h"

namespace fathom {

class RowWindows : public Windows {
 public:
  // The rows of each window.
  RowWindows(TokenRows rows, std::vector<std::vector<int64_t>> windows);

  // All tokens are one unit of token dropping: rows differ in length.
  void pack(std::span<const int64_t> places, PackedBatch& out) const override;
  WindowSize size(int64_t place) const override { return sizes_[static_cast<size_t>(place)]; }

  const TokenRows& rows() const { return rows_; }
  int64_t count() const { return static_cast<int64_t>(windows_.size()); }

 private:
  void append(int64_t row, PackedBatch& out) const;

  TokenRows rows_;
  std::vector<std::vector<int64_t>> windows_;
  std::vector<WindowSize> sizes_;
};

}  // namespace fathom
