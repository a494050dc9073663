// A tensor as rows of bytes, which is all that moving it needs.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <type_traits>
#include <vector>

#include "base/error.h"
#include "tensor/tensor.h"

namespace fathom {

// Memory is void (Rows) or const void (ConstRows).
template <class Memory>
struct RowsView {
  using Byte = std::conditional_t<std::is_const_v<Memory>, const std::byte, std::byte>;

  Byte* data = nullptr;
  int64_t rows = 0, row_bytes = 0;
  int64_t stride = 0;  // bytes from one row to the next

  RowsView(Byte* data, int64_t rows, int64_t row_bytes, int64_t stride)
      : data(data), rows(rows), row_bytes(row_bytes), stride(stride) {}
  explicit RowsView(const TensorView<Memory>& t) : data(static_cast<Byte*>(t.data)), rows(1) {
    row_bytes = size_of(t.dtype);
    if (t.rank > 0) rows = t.shape[0];
    for (int i = 1; i < t.rank; ++i) row_bytes *= t.shape[i];
    check(t.contiguous() || t.rank == 2,
          "rows of {} have strides of their own: only those of matrices can be sent", t.shape_text());
    stride = t.contiguous() ? row_bytes : t.row_stride * size_of(t.dtype);
  }

  // Every Rows is a ConstRows too.
  template <class Writable>
  requires(std::is_const_v<Memory>&& std::is_same_v<Writable, void>) RowsView(const RowsView<Writable>& r)
      : RowsView(r.data, r.rows, r.row_bytes, r.stride) {}

  bool contiguous() const { return stride == row_bytes || rows <= 1; }
  int64_t bytes() const { return rows * row_bytes; }
  RowsView slice(int64_t begin, int64_t n) const { return {data + begin * stride, n, row_bytes, stride}; }
};

using Rows = RowsView<void>;
using ConstRows = RowsView<const void>;

// Where each rank's rows begin, and behind them the end of the last.
inline std::vector<int64_t> row_offsets(std::span<const int64_t> counts) {
  std::vector<int64_t> offsets{0};
  for (int64_t n : counts) offsets.push_back(offsets.back() + n);
  return offsets;
}

// The counts of a collective: `equal` on each rank where none were given.
inline std::vector<int64_t> row_counts(std::span<const int64_t> given, int size, int64_t equal) {
  return given.empty() ? std::vector<int64_t>(size, equal) : std::vector<int64_t>(given.begin(), given.end());
}

// In host memory, rows of one size and number; the same memory is left as it is.
inline void copy_rows(const Rows& to, const ConstRows& from) {
  if (to.data == from.data || to.bytes() == 0) return;
  const bool whole = to.contiguous() && from.contiguous();
  const int64_t pieces = whole ? 1 : to.rows, bytes = whole ? to.bytes() : to.row_bytes;
  for (int64_t i = 0; i < pieces; ++i)
    std::memcpy(to.data + i * to.stride, from.data + i * from.stride, static_cast<size_t>(bytes));
}

}  // namespace fathom
