// UTF-8, strictly: no overlong forms, no surrogates, nothing above U+10FFFF. Text from outside may be
// malformed; the caller decides what a malformed byte means.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace fathom {

struct CodePoint {
  uint32_t value = 0;
  int length = 0;  // bytes; 0 when the bytes are malformed or cut off
};

// The character at the start of [p, end), which must not be empty.
CodePoint decode_utf8(const char* p, const char* end);

// The same for text known to be valid: no checks.
inline CodePoint decode_valid_utf8(const char* p) {
  const auto b = [p](int i) { return static_cast<uint32_t>(static_cast<unsigned char>(p[i])); };
  if (b(0) < 0x80) return {b(0), 1};
  if (b(0) < 0xe0) return {(b(0) & 0x1f) << 6 | (b(1) & 0x3f), 2};
  if (b(0) < 0xf0) return {(b(0) & 0x0f) << 12 | (b(1) & 0x3f) << 6 | (b(2) & 0x3f), 3};
  return {(b(0) & 0x07) << 18 | (b(1) & 0x3f) << 12 | (b(2) & 0x3f) << 6 | (b(3) & 0x3f), 4};
}

// Bytes of the longest valid prefix.
size_t valid_utf8_prefix(std::string_view text);

// `text` starts with malformed bytes: how many of them one U+FFFD stands for (the "maximal subpart" of the
// Unicode standard). 0 if they may still become a character when more text follows.
size_t malformed_utf8_prefix(std::string_view text);

void append_utf8(std::string& out, uint32_t code_point);

inline constexpr std::string_view replacement_character = "\xef\xbf\xbd";

}  // namespace fathom
