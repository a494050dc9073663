// Streaming: whole characters, and never a part of a stop string.
#include "engine/text_stream.h"

#include <gtest/gtest.h>

#include "engine/support.h"
#include "support/byte_tokenizer.h"
#include "support/temp_dir.h"
#include "text/utf8.h"

namespace fathom::testing {
namespace {

const Tokenizer& bytes() {
  static const Tokenizer tokenizer = byte_tokenizer();
  return tokenizer;
}

// What is shown after each byte, and after the end.
std::vector<std::string> shown(const std::string& text, std::vector<std::string> stops) {
  TextStream stream(bytes(), std::move(stops));
  std::vector<std::string> out;
  for (const char c : text) out.push_back(stream.push(static_cast<unsigned char>(c)));
  out.push_back(stream.flush());
  return out;
}

std::string joined(const std::vector<std::string>& parts) {
  std::string all;
  for (const std::string& p : parts) all += p;
  return all;
}

TEST(TextStream, CutsBeforeAStopStringThatSpansTokens) {
  EXPECT_EQ(shown("abSTOPcd", {"STOP"}), (std::vector<std::string>{"a", "b", "", "", "", "", "", "", ""}));
  TextStream stream(bytes(), {"ab"});
  EXPECT_EQ(stream.push('a'), "");
  EXPECT_FALSE(stream.stopped());
  EXPECT_EQ(stream.push('b'), "");
  EXPECT_TRUE(stream.stopped());
}

TEST(TextStream, ShowsWhatTurnedOutToBeNoStop) {
  EXPECT_EQ(shown("aSTx", {"STOP"}), (std::vector<std::string>{"a", "", "", "STx", ""}));
  EXPECT_EQ(shown("aST", {"STOP"}), (std::vector<std::string>{"a", "", "", "ST"}));
  EXPECT_EQ(shown("aab", {"aab", "ab!"}), (std::vector<std::string>{"", "", "", ""}));
  // A beginning inside a beginning.
  EXPECT_EQ(joined(shown("xababac", {"abac"})), "xab");
  EXPECT_EQ(joined(shown("SSSTOP", {"SSTOP"})), "S");
}

TEST(TextStream, TheStopThatStartsFirstCounts) {
  EXPECT_EQ(joined(shown("one\n\ntwo", {"two", "\n\n"})), "one");
  EXPECT_EQ(joined(shown("onetwo", {"two", "etw"})), "on");
}

TEST(TextStream, WholeCharactersOnly) {
  EXPECT_EQ(shown("a\xc3\xa9\xe2\x82\xac", {}),
            (std::vector<std::string>{"a", "", "\xc3\xa9", "", "", "\xe2\x82\xac", ""}));
  EXPECT_EQ(joined(shown("a\xe2\x82", {})), "a" + std::string(replacement_character));
  EXPECT_EQ(joined(shown("a\xff"
                         "b",
                         {})),
            "a" + std::string(replacement_character) + "b");
  EXPECT_EQ(joined(shown("x\xc3\xa9y", {"\xc3\xa9"})), "x");
}

// A stop string may share its first bytes with another character; half a character is never shown.
TEST(TextStream, StopStringsCutBetweenCharacters) {
  for (const std::string& part : shown("a\xc3\xaa\xc3\xa9z", {"\xc3\xa9z"}))
    EXPECT_EQ(valid_utf8_prefix(part), part.size());
}

TEST(TextStream, SpecialTokensAreNotShown) {
  TextStream stream(bytes(), {"<end>"});
  EXPECT_EQ(stream.push(256), "");
  EXPECT_FALSE(stream.stopped());
  EXPECT_EQ(stream.push('a'), "a");
}

TEST(TextStream, ImpossibleStopStringsAreErrors) {
  EXPECT_NE(error_of([] { TextStream(bytes(), {""}); }).find("empty"), std::string::npos);
  EXPECT_NE(error_of([] { TextStream(bytes(), {"a\xc3"}); }).find("UTF-8"), std::string::npos);
}

}  // namespace
}  // namespace fathom::testing
