#include "tensor/tensor.h"

namespace fathom {

DType dtype_named(std::string_view name) {
  for (DType t : {DType::f64, DType::f32, DType::bf16, DType::f16, DType::i32})
    if (name == name_of(t)) return t;
  fail("unknown dtype '{}': expected f32, bf16, f16 or f64", name);
}

template <class Memory>
TensorView<Memory>::TensorView(Memory* data, DType dtype, std::initializer_list<int64_t> dims)
    : data(data), dtype(dtype) {
  assert(dims.size() <= max_rank);
  for (int64_t d : dims) shape[rank++] = d;
  row_stride = cols();
}

template <class Memory>
int64_t TensorView<Memory>::rows() const {
  int64_t n = 1;
  for (int i = 0; i + 1 < rank; ++i) n *= shape[i];
  return n;
}

template <class Memory>
TensorView<Memory> TensorView<Memory>::columns(int64_t begin, int64_t width) const {
  assert(rank >= 1 && begin >= 0 && width >= 0 && begin + width <= cols());
  TensorView t = *this;
  t.data = static_cast<Element<char>*>(data) + begin * size_of(dtype);
  t.shape[rank - 1] = width;
  return t;
}

template <class Memory>
TensorView<Memory> TensorView<Memory>::slice(int64_t begin, int64_t n) const {
  assert(rank >= 1 && begin >= 0 && n >= 0 && begin + n <= shape[0]);
  if (rank == 1) return columns(begin, n);
  int64_t rows_per_entry = 1;
  for (int i = 1; i + 1 < rank; ++i) rows_per_entry *= shape[i];
  TensorView t = *this;
  t.data = static_cast<Element<char>*>(data) + begin * rows_per_entry * row_stride * size_of(dtype);
  t.shape[0] = n;
  return t;
}

template <class Memory>
TensorView<Memory> TensorView<Memory>::operator[](int64_t i) const {
  assert(rank >= 2);
  TensorView t = slice(i, 1);
  for (int d = 1; d < rank; ++d) t.shape[d - 1] = shape[d];
  t.shape[--t.rank] = 0;
  if (t.rank == 1) t.row_stride = t.cols();
  return t;
}

template <class Memory>
TensorView<Memory> TensorView<Memory>::reshape(std::initializer_list<int64_t> dims) const {
  TensorView t(data, dtype, dims);
  check(t.count() == count(), "cannot reshape {} to {}", shape_text(), t.shape_text());
  if (contiguous()) return t;
  check(t.cols() == cols(), "cannot reshape the strided view {} to {}", shape_text(), t.shape_text());
  t.row_stride = row_stride;
  return t;
}

template <class Memory>
std::string TensorView<Memory>::shape_text() const {
  std::string text = "[";
  for (int i = 0; i < rank; ++i) text += (i ? ", " : "") + std::to_string(shape[i]);
  return text + "] " + std::string(name_of(dtype));
}

template struct TensorView<void>;
template struct TensorView<const void>;

}  // namespace fathom
