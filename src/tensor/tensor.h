// Tensor: a copyable view of memory that an Arena owns. Row-major; a "row" is the last
// dimension, always contiguous, and consecutive rows lie row_stride elements apart. That one free stride is
// enough for MLA to slice [c_kv | k_rope] and [q_nope | q_rope] without copies. Copying a view does not copy
// its elements, and a const Tensor& still writes them. A ConstTensor is a view through which nothing can be
// written: of a mapped file, or of what a function only reads.
#pragma once
#include <array>
#include <cassert>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <type_traits>

#include "base/error.h"
#include "tensor/dtype.h"

namespace fathom {

// Memory is void (Tensor) or const void (ConstTensor).
template <class Memory>
struct TensorView {
  static constexpr int max_rank = 4;
  static constexpr bool read_only = std::is_const_v<Memory>;
  template <class T>
  using Element = std::conditional_t<read_only, const T, T>;

  Memory* data = nullptr;
  DType dtype = DType::f32;
  int rank = 0;
  std::array<int64_t, max_rank> shape{};
  int64_t row_stride = 0;  // elements from one row to the next

  TensorView() = default;
  // A contiguous view of `data` with this shape.
  TensorView(Memory* data, DType dtype, std::initializer_list<int64_t> dims);
  // Every Tensor is a ConstTensor too.
  template <class Writable>
  requires(read_only&& std::is_same_v<Writable, void>) TensorView(const TensorView<Writable>& t)
      : data(t.data), dtype(t.dtype), rank(t.rank), shape(t.shape), row_stride(t.row_stride) {}

  // An empty (absent) tensor stands for an optional argument that was not given.
  explicit operator bool() const { return data != nullptr; }

  int64_t cols() const { return rank ? shape[rank - 1] : 1; }
  // Product of all dimensions but the last.
  int64_t rows() const;
  int64_t count() const { return rows() * cols(); }
  int64_t bytes() const { return count() * size_of(dtype); }
  bool contiguous() const { return row_stride == cols() || rows() <= 1; }

  // Typed pointer to the first element; T must match dtype.
  template <class T>
  Element<T>* as() const {
    assert(dtype == dtype_of<T>);
    return static_cast<Element<T>*>(data);
  }
  // Typed pointer to row i of rows().
  template <class T>
  Element<T>* row(int64_t i) const {
    return as<T>() + i * row_stride;
  }

  // The same rows, only columns [begin, begin + width) of each.
  TensorView columns(int64_t begin, int64_t width) const;
  // Entries [begin, begin + n) of the first dimension.
  TensorView slice(int64_t begin, int64_t n) const;
  // Entry i of the first dimension, rank reduced by one.
  TensorView operator[](int64_t i) const;
  // The same elements in another shape. A strided view may only regroup its rows: its last dimension must
  // stay.
  TensorView reshape(std::initializer_list<int64_t> dims) const;

  std::string shape_text() const;  // "[2, 3] bf16"
};

using Tensor = TensorView<void>;
using ConstTensor = TensorView<const void>;

}  // namespace fathom
