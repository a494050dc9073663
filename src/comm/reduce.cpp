#include "comm/reduce.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <type_traits>

#include "base/threads.h"
#include "tensor/tensor.h"

namespace fathom {
namespace {

// Sums wrap around as unsigned integers do.
template <class T>
struct Accumulator {
  using type = T;
};
template <>
struct Accumulator<bf16> {
  using type = float;
};
template <>
struct Accumulator<int32_t> {
  using type = uint32_t;
};
template <>
struct Accumulator<int64_t> {
  using type = uint64_t;
};

// As many elements at a time as stay in registers and the nearest cache.
constexpr int64_t block = 512;
constexpr int64_t grain = 1 << 14;  // elements that are worth a thread

template <class T>
void sum_block(T* out, std::span<const void* const> parts, int64_t begin, int64_t n) {
  using A = typename Accumulator<T>::type;
  std::array<A, block> sums;
  const auto part = [&](size_t r) { return static_cast<const T*>(parts[r]) + begin; };
  for (int64_t i = 0; i < n; ++i) sums[i] = static_cast<A>(part(0)[i]);
  for (size_t r = 1; r < parts.size(); ++r) {
    const T* values = part(r);
    for (int64_t i = 0; i < n; ++i) sums[i] += static_cast<A>(values[i]);
  }
  for (int64_t i = 0; i < n; ++i) out[begin + i] = static_cast<T>(sums[i]);
}

template <class T>
void max_block(T* out, std::span<const void* const> parts, int64_t begin, int64_t n) {
  using A = std::conditional_t<std::is_same_v<T, bf16>, float, T>;
  for (int64_t i = begin; i < begin + n; ++i) {
    A best = static_cast<A>(static_cast<const T*>(parts[0])[i]);
    for (const void* part : parts.subspan(1)) {
      const A value = static_cast<A>(static_cast<const T*>(part)[i]);
      const bool keep = best > value || best != best;  // a NaN is kept, and taken below
      best = keep ? best : value;
    }
    out[i] = static_cast<T>(best);
  }
}

template <class T>
void reduce(Reduction reduction, void* out, std::span<const void* const> parts, int64_t n, int threads) {
  parallel_ranges(threads, n, grain, [&](int, int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i += block) {
      const int64_t count = std::min(block, end - i);
      if (reduction == Reduction::sum)
        sum_block(static_cast<T*>(out), parts, i, count);
      else
        max_block(static_cast<T*>(out), parts, i, count);
    }
  });
}

}  // namespace

void reduce_in_order(DType dtype, Reduction reduction, void* out, std::span<const void* const> parts,
                     int64_t n, int threads) {
  switch (dtype) {
    case DType::f64:
      return reduce<double>(reduction, out, parts, n, threads);
    case DType::f32:
      return reduce<float>(reduction, out, parts, n, threads);
    case DType::bf16:
      return reduce<bf16>(reduction, out, parts, n, threads);
    case DType::i32:
      return reduce<int32_t>(reduction, out, parts, n, threads);
    case DType::i64:
      return reduce<int64_t>(reduction, out, parts, n, threads);
    case DType::f16:
      break;
  }
  assert(false && "communicator.cpp refuses other types");
}

}  // namespace fathom
