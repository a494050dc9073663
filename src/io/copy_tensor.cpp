// copy_tensor: element conversion between checkpoints and the types the model computes in.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <type_traits>

#include "base/error.h"
#include "base/threads.h"
#include "io/checkpoint.h"

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
  }
  return nullptr;
}

}  // namespace

void copy_tensor(const ConstTensor& from, const Tensor& to, const std::string& name) {
  check(static_cast<bool>(from) && static_cast<bool>(to), "tensor '{}': nothing to copy", name);
  check(from.rank == to.rank &&
            std::equal(from.shape.begin(), from.shape.begin() + from.rank, to.shape.begin()),
        "tensor '{}': shape {} where {} is expected", name, from.shape_text(), to.shape_text());
  const RowCopy copy = row_copy(to.dtype, from.dtype);
  check(copy, "tensor '{}': cannot convert {} to {}", name, name_of(from.dtype), name_of(to.dtype));
  if (from.count() == 0) return;

  // Contiguous memory is one long row; both kinds are cut into pieces small enough to share out evenly.
  const bool one_row = from.contiguous() && to.contiguous();
  const int64_t rows = one_row ? 1 : from.rows(), width = one_row ? from.count() : from.cols();
  constexpr int64_t piece = 1 << 16;
  const int64_t pieces = (width + piece - 1) / piece;
  const int threads = from.count() > piece ? hardware_threads() : 1;
  parallel_ranges(threads, rows * pieces, 1, [&](int, int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t row = i / pieces, column = i % pieces * piece;
      const auto* source = static_cast<const std::byte*>(from.data);
      auto* target = static_cast<std::byte*>(to.data);
      copy(target + (row * to.row_stride + column) * size_of(to.dtype),
           source + (row * from.row_stride + column) * size_of(from.dtype), std::min(piece, width - column));
    }
  });
}

}  // namespace fathom
