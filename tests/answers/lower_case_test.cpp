#include "answers/lower_case.h"

#include <gtest/gtest.h>

#include "text/regex.h"
#include "text/utf8.h"

namespace fathom {
namespace {

TEST(LowerCase, OfEveryAlphabetThatHasCapitals) {
  EXPECT_EQ(lower_case("Ab \u00c4\u00d6\u00dc \u00d7"), "ab \u00e4\u00f6\u00fc \u00d7");
  EXPECT_EQ(lower_case("\u0160\u017d\u0179\u0141 \u0178 \u01af"), "\u0161\u017e\u017a\u0142 \u00ff \u01b0");
  EXPECT_EQ(lower_case("\u0391\u03a9 \u0386\u038f"), "\u03b1\u03c9 \u03ac\u03ce");
  EXPECT_EQ(lower_case("\u041c\u043e\u0441 \u0401 \u0490"), "\u043c\u043e\u0441 \u0451 \u0491");
  EXPECT_EQ(lower_case("\u1ea0 \uff21 \u4f60 \u0131"), "\u1ea1 \uff41 \u4f60 \u0131");
  EXPECT_EQ(lower_case("\xff"
                       "A\xc3"),
            "\xff"
            "a\xc3");
  EXPECT_EQ(lower_case(""), "");
}

// What is small has no capitals left in these alphabets, and what is small already stays.
TEST(LowerCase, AgreesWithUnicodesProperties) {
  const Regex small("\\A\\p{Ll}\\z", "small");
  RegexScratch scratch;
  for (uint32_t c = 0x41; c < 0x2000; ++c) {
    if (c >= 0x181 && c <= 0x19f) continue;  // letters of phonetic alphabets stay
    std::string letter;
    append_utf8(letter, c);
    const std::string low = lower_case(letter);
    if (low == letter) continue;
    EXPECT_TRUE(small.find(low, 0, scratch)) << std::hex << c;
    EXPECT_FALSE(small.find(letter, 0, scratch)) << std::hex << c;
    EXPECT_EQ(lower_case(low), low) << std::hex << c;
  }
}

}  // namespace
}  // namespace fathom
