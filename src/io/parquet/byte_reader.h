// Bounds-checked reading of little-endian bytes and of numbers packed into bits, first bit lowest. `where`
// stands in errors ("a.parquet: column 'x'") and must outlive the readers, as must the bytes.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

#include "base/error.h"

namespace fathom::parquet {

using Bytes = std::span<const std::byte>;

inline std::string_view text_of(Bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

class ByteReader {
 public:
  ByteReader(Bytes bytes, const std::string& where) : bytes_(bytes), where_(&where) {}

  size_t position() const { return at_; }
  size_t left() const { return bytes_.size() - at_; }
  Bytes rest() const { return bytes_.subspan(at_); }
  const std::string& where() const { return *where_; }

  Bytes take(uint64_t n) {
    check(n <= left(), "{}: the data ends too early: {} bytes are left where {} are needed", *where_, left(),
          n);
    const Bytes taken = bytes_.subspan(at_, n);
    at_ += n;
    return taken;
  }
  template <class T>
  T little() {
    T value;
    std::memcpy(&value, take(sizeof(T)).data(), sizeof(T));
    return value;
  }
  uint8_t byte() { return little<uint8_t>(); }

  // ULEB128: seven bits a byte, the lowest first.
  uint64_t varint() {
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      const uint8_t next = byte();
      value |= static_cast<uint64_t>(next & 0x7f) << shift;
      if (next < 0x80) return value;
    }
    fail("{}: a number of more than 64 bits", *where_);
  }
  // A signed number: 0, -1, 1, -2, ...
  int64_t zigzag() {
    const uint64_t value = varint();
    return static_cast<int64_t>(value >> 1 ^ (0 - (value & 1)));
  }

 private:
  Bytes bytes_;
  const std::string* where_;
  size_t at_ = 0;
};

class BitReader {
 public:
  BitReader(Bytes bytes, const std::string& where) : bytes_(bytes), where_(&where) {}

  // width: 0 to 64.
  uint64_t next(int width) {
    if (width == 0) return 0;
    check(static_cast<uint64_t>(width) <= bytes_.size() * 8 - bit_, "{}: the data ends too early", *where_);
    const size_t at = bit_ / 8, shift = bit_ % 8;
    uint64_t value = 0;
    if (at + 8 <= bytes_.size())
      std::memcpy(&value, &bytes_[at], 8);
    else
      std::memcpy(&value, &bytes_[at], bytes_.size() - at);
    value >>= shift;
    if (shift + static_cast<size_t>(width) > 64)
      value |= static_cast<uint64_t>(bytes_[at + 8]) << (64 - shift);
    bit_ += static_cast<size_t>(width);
    return width == 64 ? value : value & ((uint64_t{1} << width) - 1);
  }

 private:
  Bytes bytes_;
  const std::string* where_;
  size_t bit_ = 0;
};

}  // namespace fathom::parquet
