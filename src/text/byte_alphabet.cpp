#include "text/byte_alphabet.h"

#include "text/utf8.h"

namespace fathom {
namespace {

constexpr int alphabet_end = 0x100 + 68;

std::array<uint16_t, 256> make_alphabet() {
  std::array<uint16_t, 256> alphabet{};
  uint16_t next = 0x100;
  for (int b = 0; b < 256; ++b) {
    const bool printable = (b >= 0x21 && b <= 0x7e) || (b >= 0xa1 && b <= 0xac) || b >= 0xae;
    alphabet[b] = printable ? static_cast<uint16_t>(b) : next++;
  }
  return alphabet;
}

std::array<int16_t, alphabet_end> make_inverse() {
  std::array<int16_t, alphabet_end> inverse;
  inverse.fill(-1);
  for (int b = 0; b < 256; ++b) inverse[byte_alphabet()[b]] = static_cast<int16_t>(b);
  return inverse;
}

}  // namespace

const std::array<uint16_t, 256>& byte_alphabet() {
  static const std::array<uint16_t, 256> alphabet = make_alphabet();
  return alphabet;
}

std::string spell_bytes(std::string_view bytes) {
  std::string out;
  for (const char c : bytes) append_utf8(out, byte_alphabet()[static_cast<unsigned char>(c)]);
  return out;
}

std::optional<std::string> unspell_bytes(std::string_view spelled) {
  static const std::array<int16_t, alphabet_end> inverse = make_inverse();
  std::string out;
  for (const char *p = spelled.data(), *end = p + spelled.size(); p < end;) {
    const CodePoint c = decode_valid_utf8(p);
    if (c.value >= alphabet_end || inverse[c.value] < 0) return std::nullopt;
    out.push_back(static_cast<char>(inverse[c.value]));
    p += c.length;
  }
  return out;
}

}  // namespace fathom
