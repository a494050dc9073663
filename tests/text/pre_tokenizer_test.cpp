#include "text/pre_tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/rng.h"
#include "text/test_data.h"
#include "text/utf8.h"

namespace fathom {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::ThrowsMessage;

std::vector<std::string> split(const PreTokenizer& pre_tokenizer, std::string_view text) {
  std::vector<std::string> pieces;
  RegexScratch scratch;
  pre_tokenizer.split(text, scratch, [&](std::string_view piece) { pieces.emplace_back(piece); });
  return pieces;
}

// Characters from every corner that the patterns care about, often in runs.
std::string random_text(Rng& rng) {
  static const std::vector<uint32_t> favourites = {
      'a',    'Z',     'e',     '0',     '7',     ' ',     ' ',     ' ',    '\n',   '\r',   '\t',
      '!',    '~',     '\'',    '<',     0xa0,    0x85,    0x180e,  0xe9,   0xb5,   0xbd,   0x301,
      0x4e2d, 0x9fa5,  0x9fa6,  0xac00,  0xd7ff,  0x800,   0x7ff,   0x1ebf, 0x2003, 0x2018, 0x201f,
      0x2028, 0x3000,  0x3002,  0x3003,  0xff01,  0xff0f,  0xff21,  0xff5e, 0xff5f, 0x663,  0x2167,
      0x200d, 0x1f600, 0x1f44d, 0x10400, 0x20000, 0xe0067, 0x10ffff};
  std::string text;
  const uint64_t length = rng.below(24);
  for (uint64_t i = 0; i < length; ++i) {
    uint32_t c = favourites[rng.below(favourites.size())];
    if (rng.below(8) == 0) c = static_cast<uint32_t>(rng.below(rng.below(2) ? 0x3100 : 0x110000));
    if (c >= 0xd800 && c < 0xe000) c = '-';
    for (uint64_t n = rng.below(4) == 0 ? 1 + rng.below(4) : 1; n > 0; --n) append_utf8(text, c);
  }
  return text;
}

void expect_table_scan_is_regex(const Json& json, uint64_t seed, size_t texts = 20000) {
  const PreTokenizer fast(json, "fast", true), slow(json, "slow", false);
  Rng rng(seed);
  size_t pieces = 0;
  for (size_t i = 0; i < texts; ++i) {
    const std::string text = random_text(rng);
    const auto expected = split(slow, text);
    ASSERT_EQ(split(fast, text), expected) << Json(text).dump(-1, ' ', true);
    pieces += expected.size();
  }
  EXPECT_GT(pieces, texts / 2);
}

TEST(PreTokenizer, TableScanCutsAsRegexesOfDeepSeekLlm) {
  expect_table_scan_is_regex(pre_tokenizer_of("deepseek-llm"), 1);
}
TEST(PreTokenizer, TableScanCutsAsRegexesOfDeepSeekCoder) {
  expect_table_scan_is_regex(pre_tokenizer_of("deepseek-coder"), 2);
}
TEST(PreTokenizer, TableScanCutsAsRegexesOfDeepSeekV3) {
  expect_table_scan_is_regex(v3_pre_tokenizer(), 3);
}

Json with_step(const Json& step) {
  return {
      {"type", "Sequence"},
      {"pretokenizers", {step, {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", false}}}}};
}

TEST(PreTokenizer, OtherSimplePatternsScanAsTheirRegexes) {
  Json steps = Json::array();
  for (const char* pattern :
       {R"(\s?[a-e\s]{1,3})", R"(\s+$)", R"(\s?\p{Lu})", R"([^\s\w]+)", R"(\s)", R"([\]\-z]+)"})
    for (const char* behavior : {"Isolated", "MergedWithPrevious", "Contiguous", "MergedWithNext"})
      steps.push_back({{"type", "Split"}, {"pattern", {{"Regex", pattern}}}, {"behavior", behavior}});
  for (const Json& step : steps) expect_table_scan_is_regex(with_step(step), 4, 2000);
}

TEST(PreTokenizer, CutsByHand) {
  const PreTokenizer deepseek(pre_tokenizer_of("deepseek-llm"), "deepseek-llm");
  EXPECT_THAT(split(deepseek, ""), ElementsAre());
  EXPECT_THAT(split(deepseek, "It is 12 o'clock."),
              ElementsAre("It", " is", " ", "1", "2", " o", "'", "clock", "."));
  EXPECT_THAT(split(deepseek, "a  b  \n\n c"), ElementsAre("a", " ", " b", "  ", "\n", "\n", " c"));
  EXPECT_THAT(split(deepseek, "你好，world"), ElementsAre("你好", "，", "world"));
}

TEST(PreTokenizer, NamesWhatItCannotDo) {
  const auto message = [](const Json& json) {
    try {
      PreTokenizer(json, "x.json: pre_tokenizer");
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string("no error");
  };
  EXPECT_THAT(message(with_step({{"type", "Metaspace"}})), HasSubstr("'Metaspace' is not supported"));
  EXPECT_THAT(message({{"type", "Whitespace"}}), HasSubstr("no ByteLevel step"));
  const auto split_step = [](Json pattern, Json behavior) {
    return with_step({{"type", "Split"}, {"pattern", pattern}, {"behavior", behavior}});
  };
  EXPECT_THAT(message(split_step({{"Regex", "("}}, "Isolated")), HasSubstr("bad regular expression '('"));
  EXPECT_THAT(message(split_step({{"Regex", "[a[bc]]"}}, "Isolated")), HasSubstr("inside a character class"));
  EXPECT_THAT(message(split_step({{"Regex", "[a&&b]"}}, "Isolated")), HasSubstr("'&&'"));
  EXPECT_THAT(message(split_step({{"Regex", "\\C"}}, "Isolated")), HasSubstr("bad regular expression"));
  EXPECT_THAT(message(split_step({{"Regex", "a"}}, "Glued")), HasSubstr("'Glued' is not known"));
  EXPECT_THAT(message(split_step({{"Glob", "a"}}, "Isolated")), HasSubstr("'pattern.String'"));
  EXPECT_THAT(message(split_step("a", "Isolated")), HasSubstr("pattern"));
  EXPECT_THAT(message({{"type", "Sequence"}, {"pretokenizers", 3}}), HasSubstr("pretokenizers"));
  EXPECT_THAT(message(3), HasSubstr("x.json"));
  EXPECT_THAT(
      message({{"type", "Sequence"}, {"pretokenizers", {{{"type", "ByteLevel"}}, {{"type", "Digits"}}}}}),
      HasSubstr("'Digits' after ByteLevel"));
  EXPECT_THAT(
      message({{"type", "Sequence"}, {"pretokenizers", std::vector<Json>(100, {{"type", "Digits"}})}}),
      HasSubstr("more than"));
}

TEST(PreTokenizer, ARunawayPatternIsAnError) {
  const PreTokenizer hostile(
      with_step({{"type", "Split"}, {"pattern", {{"Regex", "(a|aa)+$"}}}, {"behavior", "Isolated"}}),
      "hostile");
  EXPECT_THAT([&] { split(hostile, std::string(60, 'a') + "b"); },
              ThrowsMessage<Error>(HasSubstr("failed on this text")));
}

TEST(PreTokenizer, MoreClassesThanTheTableHoldsStillWork) {
  Json steps = Json::array();
  for (char c = 'a'; c <= 'z'; ++c)
    steps.push_back({{"type", "Split"},
                     {"pattern", {{"Regex", "[" + std::string(1, c) + "]+"}}},
                     {"behavior", "Isolated"}});
  steps.push_back({{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", false}});
  const PreTokenizer many({{"type", "Sequence"}, {"pretokenizers", steps}}, "many");
  EXPECT_THAT(split(many, "aabzz y"), ElementsAre("aa", "b", "zz", " ", "y"));
}

}  // namespace
}  // namespace fathom
