#include "answers/sentences.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace fathom {
namespace {

TEST(Sentences, EndAtMarksThatBlanksOrPunctuationFollow) {
  const std::vector<std::pair<std::string, int64_t>> cases = {
      {"", 0},
      {" \n ", 0},
      {"no mark at all\nnor here", 1},
      {"One. Two? Three! ", 3},
      {"One.Two", 1},
      {"He said \"Stop!\" and left. (It was late.) Then rain.", 4},
      {"Version 2.5 is out. It costs 3.50 dollars.", 2},
      {"1. Wash it.\n2. Dry it.", 4},
      {"See no. 3. it is good", 2},
      {"Dr. Adams met Mr. B. Stone in the U.S. in Jan. and left.", 1},
      {"It rained in the U.S. The sun came later.", 2},
      {"Well... maybe. Well... The end.", 3},
      {"Really?! Yes.", 2},
      {"\u8fd9\u662f\u53e5\u5b50\u3002\u53e6\u4e00\u53e5\u3002", 1},
  };
  for (const auto& [text, n] : cases) EXPECT_EQ(count_sentences(text), n) << text;
}

TEST(Sentences, WordsAreRunsOfLettersAndDigits) {
  EXPECT_EQ(count_words(""), 0);
  EXPECT_EQ(count_words("It's 5 o'clock -- well_known, half-done"), 8);
  EXPECT_EQ(count_words("\u00e9t\u00e9 \u0436\u0438\u0437\u043d\u044c \u4f60\u597d\uff0c\u4e16\u754c"), 4);
}

TEST(Sentences, CapitalWords) {
  const std::vector<std::pair<std::string, int64_t>> cases = {
      {"nothing Here", 0},
      {"THE END", 2},
      {"A WELL-KNOWN (VERY) **GOOD** thing", 4},
      {"I'M HERE", 3},     // I, 'M, HERE
      {"ANNA's HAT", 2},   // ANNA, HAT
      {"DON'T", 2},        // DO, N'T
      {"CANNOT STOP", 3},  // CAN, NOT, STOP
      {"ONE,TWO:THREE--FOUR 1,000 R2D2", 5},
      {"\u00c4RGER \u0416\u0418\u0417\u041d\u042c mIX", 2},
  };
  for (const auto& [text, n] : cases) EXPECT_EQ(count_capital_words(text), n) << text;
}

}  // namespace
}  // namespace fathom
