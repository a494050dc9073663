// bfloat16 and IEEE half as plain 16-bit storage with conversions to and from float.
#pragma once
#include <bit>
#include <cstdint>

namespace fathom {

// The upper half of a float: 8 exponent bits, 7 mantissa bits.
struct bf16 {
  uint16_t bits;

  bf16() = default;
  // Rounds to nearest, ties to even; NaN stays NaN.
  explicit bf16(float value) {
    uint32_t u = std::bit_cast<uint32_t>(value);
    if ((u & 0x7fffffffu) > 0x7f800000u)
      bits = static_cast<uint16_t>((u >> 16) | 0x40u);
    else
      bits = static_cast<uint16_t>((u + 0x7fffu + ((u >> 16) & 1u)) >> 16);
  }
  explicit operator float() const { return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16); }
};

// IEEE 754 binary16; read and written in checkpoints, never computed with.
struct f16 {
  uint16_t bits;

  f16() = default;
  explicit f16(float value);
  explicit operator float() const;
};

}  // namespace fathom
