#include "data/quality.h"

#include <gmock/gmock.h>

#include <string>

#include "support/temp_dir.h"

namespace fathom {
namespace {

std::string failure(const std::string& text, const std::vector<std::string>& off = {}) {
  std::vector<Word> words;
  WordSplitter().split(text, words);
  RepetitionScratch scratch;
  const auto found = QualityFilter(off).failure(text, words, scratch);
  return found ? found->text() : "";
}

// n different words of five letters, with a sentence's end after each tenth.
std::string plain(int n, const std::string& before = "the of and ") {
  std::string text = before;
  for (int i = 0; i < n; ++i) {
    std::string word = "aaaaa";
    for (int rest = i, k = 0; k < 5; ++k, rest /= 26)
      word[static_cast<size_t>(k)] = static_cast<char>('a' + rest % 26);
    text += word + (i % 10 == 9 ? ". " : " ");
  }
  return text;
}

TEST(Quality, OrdinaryTextPasses) {
  EXPECT_EQ(failure(plain(100)), "");
}

TEST(Quality, ATextExactlyOnALimitPassesAndAnEmptyOneFails) {
  EXPECT_EQ(failure(plain(47)), "");
  EXPECT_EQ(failure(plain(46)), "words 49 < 50");
  EXPECT_EQ(failure(""), "words 0 < 50");
}

TEST(Quality, EachRuleFindsWhatItIsFor) {
  EXPECT_EQ(failure(plain(100, "")), "stop_words 0 < 2");
  EXPECT_EQ(failure(plain(97) + "{"), "curly_braces 1 > 0");
  EXPECT_EQ(failure(plain(98) + " Lorem Ipsum"), "lorem_ipsum 1 > 0");
  EXPECT_EQ(failure(plain(97) + "###########"), "symbols 0.11 > 0.1");
  EXPECT_EQ(failure(plain(97) + "##########"), "");
  std::string numbers = plain(77);  // and 21 of 101 words without a letter
  for (int i = 0; i < 21; ++i) numbers += std::to_string(10000 + i) + " ";
  EXPECT_THAT(failure(numbers), ::testing::HasSubstr("letters 0.79"));
  std::string lines = plain(100);
  for (int i = 0; i < 4; ++i) lines += "\nAgain the same line.";
  EXPECT_EQ(failure(lines), "repeated_lines 0.6 > 0.3");
  EXPECT_THAT(failure(plain(100) + plain(100)), ::testing::HasSubstr("repeated_5_grams 0.5 > 0.15"));
  EXPECT_EQ(failure("- the of and\n" + plain(100)), "");
}

TEST(Quality, NoRuleOfEnglishIsForChinese) {
  // 120 different characters in 4 sentences.
  std::string text;
  for (int i = 0; i < 120; ++i) {
    const uint32_t c = 0x4e00 + static_cast<uint32_t>(i) * 7;
    for (const uint32_t byte : {0xe0 | c >> 12, 0x80 | (c >> 6 & 0x3f), 0x80 | (c & 0x3f)})
      text += static_cast<char>(byte);
    if (i % 30 == 29) text += "。";
  }
  EXPECT_EQ(failure(text), "");
}

TEST(Quality, OtherLanguagesHaveStopWordsOfTheirOwn) {
  EXPECT_EQ(failure(plain(100, "der und nicht ")), "");
  std::string russian;
  for (int i = 0; i < 100; ++i)
    russian += std::string("слово") + (i % 2 ? "а" : "б") + std::to_string(i) + (i % 10 == 9 ? ". " : " ");
  EXPECT_EQ(failure(russian), "");
}

TEST(Quality, ARuleCanBeLeftOut) {
  EXPECT_EQ(failure(plain(97) + "{", {"curly_braces"}), "");
  EXPECT_EQ(error_of([] { QualityFilter filter({"curly_brace"}); }),
            "there is no quality rule 'curly_brace': did you mean curly_braces?");
}

}  // namespace
}  // namespace fathom
