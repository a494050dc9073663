#include "text/utf8.h"

#include <algorithm>
#include <cstring>

namespace fathom {
namespace {

struct Lead {
  int length;               // of the whole character; 0: no character starts with this byte
  unsigned char low, high;  // what the second byte may be
};

// Table 3-7 of the Unicode standard.
Lead lead(unsigned char byte) {
  if (byte < 0x80) return {1, 0, 0};
  if (byte < 0xc2) return {0, 0, 0};
  if (byte < 0xe0) return {2, 0x80, 0xbf};
  if (byte == 0xe0) return {3, 0xa0, 0xbf};
  if (byte == 0xed) return {3, 0x80, 0x9f};
  if (byte < 0xf0) return {3, 0x80, 0xbf};
  if (byte == 0xf0) return {4, 0x90, 0xbf};
  if (byte < 0xf4) return {4, 0x80, 0xbf};
  if (byte == 0xf4) return {4, 0x80, 0x8f};
  return {0, 0, 0};
}

// How many bytes at the start fit into one character, and that character's length (0: none begins here).
struct Fit {
  int bytes, length;
};

Fit fit(const unsigned char* p, const unsigned char* end) {
  const Lead l = lead(p[0]);
  int n = 1;
  while (n < l.length && p + n < end && p[n] >= (n == 1 ? l.low : 0x80) && p[n] <= (n == 1 ? l.high : 0xbf))
    ++n;
  return {n, l.length};
}

const unsigned char* bytes_of(const char* p) {
  return reinterpret_cast<const unsigned char*>(p);
}

}  // namespace

CodePoint decode_utf8(const char* p, const char* end) {
  if (static_cast<unsigned char>(*p) < 0x80) return {static_cast<uint32_t>(*p), 1};
  const Fit f = fit(bytes_of(p), bytes_of(end));
  return f.bytes == f.length ? decode_valid_utf8(p) : CodePoint{};
}

size_t valid_utf8_prefix(std::string_view text) {
  const char *p = text.data(), *end = p + text.size();
  while (p < end) {
    uint64_t eight;
    if (end - p >= 8 && (std::memcpy(&eight, p, 8), (eight & 0x8080808080808080ull) == 0)) {
      p += 8;
      continue;
    }
    const int length = decode_utf8(p, end).length;
    if (length == 0) break;
    p += length;
  }
  return static_cast<size_t>(p - text.data());
}

size_t malformed_utf8_prefix(std::string_view text) {
  const unsigned char *p = bytes_of(text.data()), *end = p + text.size();
  const Fit f = fit(p, end);
  const bool cut_off = f.bytes < f.length && p + f.bytes == end;
  return cut_off ? 0 : static_cast<size_t>(f.bytes);
}

void append_utf8(std::string& out, uint32_t c) {
  const auto put = [&out](uint32_t byte) { out.push_back(static_cast<char>(byte)); };
  if (c < 0x80) return put(c);
  if (c < 0x800) {
    put(0xc0 | c >> 6);
  } else {
    if (c < 0x10000) {
      put(0xe0 | c >> 12);
    } else {
      put(0xf0 | c >> 18);
      put(0x80 | (c >> 12 & 0x3f));
    }
    put(0x80 | (c >> 6 & 0x3f));
  }
  put(0x80 | (c & 0x3f));
}

}  // namespace fathom
