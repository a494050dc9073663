#include "text/utf8.h"

#include <gtest/gtest.h>

#include "text/byte_alphabet.h"

namespace fathom {
namespace {

TEST(Utf8, EveryCodePointComesBack) {
  for (uint32_t c = 0; c < 0x110000; ++c) {
    if (c >= 0xd800 && c < 0xe000) continue;
    std::string text;
    append_utf8(text, c);
    const CodePoint decoded = decode_utf8(text.data(), text.data() + text.size());
    ASSERT_EQ(decoded.value, c);
    ASSERT_EQ(decoded.length, static_cast<int>(text.size()));
    ASSERT_EQ(valid_utf8_prefix(text), text.size());
    for (size_t n = 1; n < text.size(); ++n) {
      ASSERT_EQ(valid_utf8_prefix(text.substr(0, n)), 0u);
      ASSERT_EQ(malformed_utf8_prefix(text.substr(0, n)), 0u) << "may still become a character";
    }
  }
}

TEST(Utf8, MalformedBytesAreFound) {
  const std::pair<std::string, size_t> cases[] = {
      {"\x80", 1},         {"\xc0\x80", 1},     {"\xc1\xbf", 1},     {"\xe0\x80\x80", 1},
      {"\xed\xa0\x80", 1}, {"\xf0\x80\x80", 1}, {"\xf4\x90\x80", 1}, {"\xf5\x80\x80\x80", 1},
      {"\xff", 1},         {"\xc3(", 1},        {"\xe2\x82(", 2},    {"\xf0\x9f\x98(", 3}};
  for (const auto& [text, malformed] : cases) {
    EXPECT_EQ(valid_utf8_prefix("12345678" + text), 8u);
    EXPECT_EQ(malformed_utf8_prefix(text), malformed);
  }
}

TEST(ByteAlphabet, SpellsAsGpt2) {
  EXPECT_EQ(spell_bytes(" a\n\xc3"), "ĠaĊÃ");
  EXPECT_EQ(spell_bytes(std::string_view("\0\x7f\xad", 3)), "ĀġŃ");
  EXPECT_EQ(unspell_bytes("ĠaĊÃ"), " a\n\xc3");
  EXPECT_EQ(unspell_bytes("<｜"), std::nullopt);
  EXPECT_EQ(unspell_bytes(" "), std::nullopt);
  std::string all;
  for (int b = 0; b < 256; ++b) all.push_back(static_cast<char>(b));
  EXPECT_EQ(unspell_bytes(spell_bytes(all)), all);
}

}  // namespace
}  // namespace fathom
