// Element types of tensors. f64 exists for the reference backend, f16 only for reading and writing
// checkpoints, i64 only for counts that ranks exchange (comm/): no op takes it.
#pragma once
#include <cstdint>
#include <string_view>

#include "base/float16.h"

namespace fathom {

enum class DType : uint8_t { f64, f32, bf16, f16, i32, i64 };

constexpr int64_t size_of(DType t) {
  switch (t) {
    case DType::f64:
      return 8;
    case DType::f32:
      return 4;
    case DType::i32:
      return 4;
    case DType::i64:
      return 8;
    case DType::bf16:
      return 2;
    case DType::f16:
      return 2;
  }
  return 0;
}

constexpr std::string_view name_of(DType t) {
  switch (t) {
    case DType::f64:
      return "f64";
    case DType::f32:
      return "f32";
    case DType::bf16:
      return "bf16";
    case DType::f16:
      return "f16";
    case DType::i32:
      return "i32";
    case DType::i64:
      return "i64";
  }
  return "?";
}

// Parses "f32", "bf16", ... ; throws Error naming the value otherwise.
DType dtype_named(std::string_view name);

constexpr bool is_float(DType t) {
  return t != DType::i32 && t != DType::i64;
}

template <class T>
inline constexpr DType dtype_of = DType::i32;
template <>
inline constexpr DType dtype_of<int64_t> = DType::i64;
template <>
inline constexpr DType dtype_of<double> = DType::f64;
template <>
inline constexpr DType dtype_of<float> = DType::f32;
template <>
inline constexpr DType dtype_of<fathom::bf16> = DType::bf16;
template <>
inline constexpr DType dtype_of<fathom::f16> = DType::f16;

}  // namespace fathom
