// The byte alphabet of GPT-2: tokenizer.json spells the bytes of a token with printable characters. Bytes
// that are printable in Latin-1 stand for themselves, the other 68 are U+0100, U+0101, ... in order.
#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace fathom {

// The code point that spells each byte.
const std::array<uint16_t, 256>& byte_alphabet();

// Raw bytes -> spelling, and back; nothing if a character does not belong to the alphabet. `spelled` is valid
// UTF-8.
std::string spell_bytes(std::string_view bytes);
std::optional<std::string> unspell_bytes(std::string_view spelled);

}  // namespace fathom
