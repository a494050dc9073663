#include "io/copy_tensor.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <cmath>
#include <cstring>
#include <type_traits>
#include <vector>

#include "base/error.h"
#include "base/threads.h"

namespace fathom {
namespace {

// Double to float, rounding to odd: a second rounding to 16 bits then gives what one direct rounding would.
float round_to_odd(double value) {
  const float nearest = static_cast<float>(value);
  if (static_cast<double>(nearest) == value || std::isnan(value)) return nearest;
  uint32_t bits = std::bit_cast<uint32_t>(nearest);
  if (std::abs(static_cast<double>(nearest)) > std::abs(value)) --bits;  // towards zero
  return std::bit_cast<float>(bits | 1);
}

template <class To, class From>
To convert(From value) {
  if constexpr (std::is_same_v<To, From>)
    return value;
  else if constexpr (sizeof(From) == 2)
    return static_cast<To>(static_cast<float>(value));
  else if constexpr (sizeof(To) == 2 && sizeof(From) == 8)
    return To(round_to_odd(value));
  else
    return static_cast<To>(value);
}

template <class To, class From>
void copy_row(void* to, const void* from, int64_t n) {
  if constexpr (std::is_same_v<To, From>) {
    std::memcpy(to, from, static_cast<size_t>(n) * sizeof(To));
  } else {
    To* __restrict out = static_cast<To*>(to);
    const From* __restrict in = static_cast<const From*>(from);
    for (int64_t i = 0; i < n; ++i) out[i] = convert<To>(in[i]);
  }
}

using RowCopy = void (*)(void* to, const void* from, int64_t n);

template <class To>
RowCopy row_copy_to(DType from) {
  switch (from) {
    case DType::f64:
      return copy_row<To, double>;
    case DType::f32:
      return copy_row<To, float>;
    case DType::bf16:
      return copy_row<To, bf16>;
    case DType::f16:
      return copy_row<To, f16>;
    case DType::i32:
    case DType::i64:
      break;
  }
  return nullptr;
}

// Null when there is no conversion between the two.
RowCopy row_copy(DType to, DType from) {
  switch (to) {
    case DType::f64:
      return row_copy_to<double>(from);
    case DType::f32:
      return row_copy_to<float>(from);
    case DType::bf16:
      return row_copy_to<bf16>(from);
    case DType::f16:
      return row_copy_to<f16>(from);
    case DType::i32:
      return from == DType::i32 ? copy_row<int32_t, int32_t> : nullptr;
    case DType::i64:
      return from == DType::i64 ? copy_row<int64_t, int64_t> : nullptr;
  }
  return nullptr;
}

// The conversion between two tensors of one shape.
RowCopy checked_copy(const ConstTensor& from, const Tensor& to, const std::string& name) {
  check(from.rank == to.rank &&
            std::equal(from.shape.begin(), from.shape.begin() + from.rank, to.shape.begin()),
        "tensor '{}': shape {} where {} is expected", name, from.shape_text(), to.shape_text());
  const RowCopy copy = row_copy(to.dtype, from.dtype);
  check(copy, "tensor '{}': cannot convert {} to {}", name, name_of(from.dtype), name_of(to.dtype));
  return copy;
}

// Work small enough to share out evenly: contiguous memory is one long row, and rows are cut into pieces.
struct Pieces {
  static constexpr int64_t most = 1 << 16;  // elements
  int64_t rows, width, per_row;

  Pieces(const ConstTensor& t, bool one_row)
      : rows(one_row ? 1 : t.rows()),
        width(one_row ? t.count() : t.cols()),
        per_row((width + most - 1) / most) {}

  int threads() const { return rows * width > most ? hardware_threads() : 1; }
  // body(thread, row, first column, columns)
  template <class Body>
  void for_each(const Body& body) const {
    parallel_ranges(threads(), rows * per_row, 1, [&](int thread, int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const int64_t column = i % per_row * most;
        body(thread, i / per_row, column, std::min(most, width - column));
      }
    });
  }
};

template <class Memory>
auto* at(const TensorView<Memory>& t, int64_t row, int64_t column) {
  using Byte = typename TensorView<Memory>::template Element<std::byte>;
  return static_cast<Byte*>(t.data) + (row * t.row_stride + column) * size_of(t.dtype);
}

}  // namespace

void copy_tensor(const ConstTensor& from, const Tensor& to, const std::string& name) {
  check(static_cast<bool>(from) && static_cast<bool>(to), "tensor '{}': nothing to copy", name);
  const RowCopy copy = checked_copy(from, to, name);
  if (from.count() == 0) return;
  const Pieces pieces(from, from.contiguous() && to.contiguous());
  pieces.for_each([&](int, int64_t row, int64_t column, int64_t n) {
    copy(at(to, row, column), at(from, row, column), n);
  });
}

int read_tensor(const ReadBytes& read, const ConstTensor& from, const Tensor& to, const std::string& name) {
  const RowCopy copy = checked_copy(from, to, name);
  if (to.count() == 0) return 0;
  const Pieces pieces(to, to.contiguous());
  const auto size = size_of(from.dtype), buffer = Pieces::most * size;
  const bool converted = from.dtype != to.dtype;
  std::vector<std::byte> buffers(static_cast<size_t>(converted ? pieces.threads() * buffer : 0));
  std::atomic<int> error{0};
  pieces.for_each([&](int thread, int64_t row, int64_t column, int64_t n) {
    if (error != 0) return;
    std::byte* target = at(to, row, column);
    std::byte* place = converted ? buffers.data() + thread * buffer : target;
    const int result = read(static_cast<uint64_t>((row * pieces.width + column) * size),
                            {place, static_cast<size_t>(n * size)});
    if (result != 0)
      error = result;
    else if (converted)
      copy(target, place, n);
  });
  return error;
}

}  // namespace fathom
