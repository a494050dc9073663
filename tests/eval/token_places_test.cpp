// How servers spell tokens, and where those stand.
#include "eval/token_places.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fathom {
namespace {

using ::testing::ElementsAre;

// The ends of the tokens; {} when they do not spell it.
std::vector<size_t> ends(const std::vector<std::string_view>& tokens, std::string_view sent) {
  std::vector<size_t> all;
  if (const auto places = place_tokens(tokens, sent)) {
    size_t last = 0;
    for (const TokenPlace& place : *places) {
      EXPECT_EQ(place.begin, last);
      all.push_back(last = place.end);
    }
  }
  return all;
}

TEST(TokenPlaces, OfPlainTokens) {
  EXPECT_THAT(ends({"Hello", ",", " world"}, "Hello, world"), ElementsAre(5, 6, 12));
  EXPECT_THAT(ends({"a", " ", " b"}, "a  b"), ElementsAre(1, 2, 4));
  EXPECT_THAT(ends({"你", "好é", "!"}, "你好é!"), ElementsAre(3, 8, 9));
  for (const auto& tokens : std::vector<std::vector<std::string_view>>{
           {"Hello", ","}, {"Hello", ",", " world", "s"}, {"Hallo", ",", " world"}, {}})
    EXPECT_FALSE(place_tokens(tokens, "Hello, world").has_value());
}

TEST(TokenPlaces, BehindATokenThatTheServerPutsFirst) {
  EXPECT_THAT(ends({"<s>", "a", "b"}, "ab"), ElementsAre(0, 1, 2));
  EXPECT_THAT(ends({"", "a", "b"}, "ab"), ElementsAre(0, 1, 2));
  // Only the first.
  EXPECT_FALSE(place_tokens({"a", "<s>", "b"}, "ab").has_value());
  // What is spelled whole stays whole.
  EXPECT_THAT(ends({"é", "x"}, "éx"), ElementsAre(2, 3));
}

TEST(TokenPlaces, OfPartsOfCharacters) {
  const std::string sent = "a你b";  // e4 bd a0
  EXPECT_THAT(ends({"a", "bytes:\\xe4\\xbd", "bytes:\\xa0", "b"}, sent), ElementsAre(1, 3, 4, 5));
  EXPECT_THAT(ends({"a", "\ufffd", "\ufffd", "b"}, sent).back(), 5u);
  EXPECT_THAT(ends({"a", "\ufffd", "\ufffd", "\ufffd", "b"}, sent), ElementsAre(1, 2, 3, 4, 5));
  EXPECT_THAT(ends({"a", "", "", "b"}, sent).back(), 5u);
  // The whole character with its last token.
  EXPECT_THAT(ends({"a", "", "你", "b"}, sent), ElementsAre(1, 1, 4, 5));
  // A blank and the beginning of a character are one token.
  EXPECT_THAT(ends({"a", " \ufffd", "\ufffd"}, "a 你").back(), 5u);
  // U+FFFD itself.
  EXPECT_THAT(ends({"a", "\ufffd"}, "a\ufffd"), ElementsAre(1, 4));
  EXPECT_FALSE(place_tokens({"a", "", "b"}, "axb").has_value());
}

TEST(TokenPlaces, OfSentencePiece) {
  EXPECT_THAT(ends({"<s>", "▁Hello", "▁world"}, "Hello world"), ElementsAre(0, 5, 11));
  EXPECT_THAT(ends({"<s>", "Hello", "▁world"}, "Hello world"), ElementsAre(0, 5, 11));
  EXPECT_THAT(ends({"<s>", "Hello", "world"}, "Hello world"), ElementsAre(0, 5, 11));
}

TEST(TokenPlaces, EndInTimeForAnyTokens) {
  const std::vector<std::string_view> empty(3000, "");
  std::string text;
  for (int i = 0; i < 1000; ++i) text += "你";
  place_tokens(empty, text);
  std::string lossy;
  for (int i = 0; i < 3000; ++i) lossy += "\ufffd";
  place_tokens({lossy, lossy}, text);
}

}  // namespace
}  // namespace fathom
