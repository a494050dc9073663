#include "eval/needle.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/byte_tokenizer.h"
#include "support/temp_dir.h"

namespace fathom::testing {
namespace {

using ::testing::HasSubstr;

const std::string sentence = "It rained. ";

NeedleSettings settings() {
  NeedleSettings s;
  s.lengths = {400}, s.depths = {0, 0.5, 1};
  return s;
}

class Needles : public ::testing::Test {
 protected:
  NeedleMaker maker(const NeedleSettings& s) const { return {tokenizer_, haystack_, s}; }
  std::string text(const NeedleItem& item) const { return tokenizer_.decode(item.prompt); }

  const Tokenizer tokenizer_ = byte_tokenizer();
  const std::vector<int32_t> haystack_ = tokenizer_.encode(sentence + sentence + "The sun shone, at last. ");
};

size_t count_of(std::string_view text, std::string_view part) {
  size_t n = 0;
  for (size_t at = 0; (at = text.find(part, at)) != std::string_view::npos; ++at) ++n;
  return n;
}

std::string needle_of(const NeedleItem& item) {
  return " The number of the " + item.key + " is " + item.value + ".";
}

TEST_F(Needles, FillTheLengthAndStandAtTheirDepth) {
  for (const double depth : {0.0, 0.3, 0.5, 1.0}) {
    const NeedleItem item = maker(settings()).make(NeedleTask::number, 400, depth, 0).value();
    EXPECT_EQ(static_cast<int64_t>(item.prompt.size()) + item.room, 400);
    // " 12345." and some tokens more
    EXPECT_GE(item.room, 7);
    const std::string prompt = text(item), needle = needle_of(item),
                      question = " The number of the " + item.key + " is";
    EXPECT_EQ(count_of(prompt, needle), 1u) << prompt;
    EXPECT_TRUE(prompt.ends_with(question)) << prompt;
    const size_t at = prompt.find(needle);
    const double room = static_cast<double>(prompt.size() - needle.size() - question.size());
    EXPECT_NEAR(static_cast<double>(at), item.placed * room, 1);
    // Back to the end of a sentence, of up to 25 bytes.
    EXPECT_LE(item.placed, depth);
    EXPECT_GE(item.placed, depth - 25 / room);
    if (depth > 0 && depth < 1) {
      EXPECT_EQ(prompt[at - 1], '.') << prompt;
    }
    if (depth == 1) {
      EXPECT_TRUE(prompt.ends_with(needle + question)) << prompt;
    }
  }
}

TEST_F(Needles, AreTheSameForTheSameSeedAndShareBeginnings) {
  const NeedleMaker m = maker(settings());
  const NeedleItem a = *m.make(NeedleTask::number, 400, 0.5, 1), b = *m.make(NeedleTask::number, 400, 1, 1);
  EXPECT_EQ(a.prompt, m.make(NeedleTask::number, 400, 0.5, 1)->prompt);
  EXPECT_EQ(a.value, b.value);
  const auto [end, unused] = std::mismatch(a.prompt.begin(), a.prompt.end(), b.prompt.begin());
  EXPECT_GT(end - a.prompt.begin(), 100);
  EXPECT_NE(a.value, m.make(NeedleTask::number, 400, 0.5, 2)->value);
  NeedleSettings other = settings();
  other.seed = 2;
  EXPECT_NE(a.value, maker(other).make(NeedleTask::number, 400, 0.5, 1)->value);
}

TEST_F(Needles, OfSeveralKeysOneIsAskedFor) {
  const NeedleItem item = *maker(settings()).make(NeedleTask::key, 600, 0.5, 0);
  const std::string prompt = text(item);
  EXPECT_EQ(count_of(prompt, "The number of the "), 5u) << prompt;
  EXPECT_EQ(count_of(prompt, "The number of the " + item.key + " is"), 2u) << prompt;
  EXPECT_EQ(count_of(prompt, item.value), 1u) << prompt;
}

TEST_F(Needles, OfOneKeyTheLastIsAskedFor) {
  for (const double depth : {0.0, 0.2, 1.0})
    for (int64_t sample = 0; sample < 5; ++sample) {
      const NeedleItem item = *maker(settings()).make(NeedleTask::last, 600, depth, sample);
      const std::string prompt = text(item);
      EXPECT_EQ(count_of(prompt, "The number of the " + item.key + " is "), 4u) << prompt;
      EXPECT_LT(prompt.rfind(" is " + item.value + "."), prompt.size());
      EXPECT_EQ(prompt.rfind("The number of the " + item.key + " is "), prompt.rfind(needle_of(item)) + 1)
          << prompt;
    }
}

TEST_F(Needles, WhatDoesNotFitIsNotMade) {
  const NeedleMaker m = maker(settings());
  int64_t least = 1;
  while (!m.make(NeedleTask::number, least, 0, 0)) ++least;
  const NeedleItem item = *m.make(NeedleTask::number, least, 0, 0);
  EXPECT_EQ(count_of(text(item), needle_of(item)), 1u);
  EXPECT_FALSE(m.make(NeedleTask::key, least, 0, 0));
}

TEST_F(Needles, HaveOneBosWhereTheTokenizerAddsIt) {
  Json json = byte_tokenizer_json();
  json["added_tokens"].push_back({{"id", 257}, {"content", "<begin>"}, {"special", true}});
  const Json config = {{"add_bos_token", true}, {"bos_token", "<begin>"}};
  const Tokenizer tokenizer = Tokenizer::parse(json.dump(), "bytes", config.dump());
  const NeedleItem item =
      *NeedleMaker(tokenizer, haystack_, settings()).make(NeedleTask::number, 400, 0.5, 0);
  EXPECT_EQ(item.prompt[0], 257);
  EXPECT_EQ(std::count(item.prompt.begin(), item.prompt.end(), 257), 1);
  EXPECT_EQ(static_cast<int64_t>(item.prompt.size()) + item.room, 400);
}

TEST(NeedleAnswers, CountByTheirFirstNumber) {
  EXPECT_TRUE(answers(" 48213.", "48213"));
  EXPECT_TRUE(answers("\nit is 48213, not 5", "48213"));
  EXPECT_TRUE(answers("48213", "48213"));
  EXPECT_FALSE(answers("482133", "48213"));
  EXPECT_FALSE(answers("4821", "48213"));
  EXPECT_FALSE(answers("5, no 48213", "48213"));
  EXPECT_FALSE(answers("", "48213"));
  EXPECT_FALSE(answers("none", "48213"));
}

TEST_F(Needles, SayWhatCannotBe) {
  const auto error = [&](const std::function<void(NeedleSettings&)>& change) {
    NeedleSettings s = settings();
    change(s);
    return error_of([&] { maker(s); });
  };
  EXPECT_THAT(error([](NeedleSettings& s) { s.depths = {1.5}; }), HasSubstr("150%"));
  EXPECT_THAT(error([](NeedleSettings& s) { s.lengths = {}; }), HasSubstr("one length"));
  EXPECT_THAT(error([](NeedleSettings& s) { s.needles = 41; }), HasSubstr("41 needles"));
  EXPECT_THAT(error([](NeedleSettings& s) { s.digits = 0; }), HasSubstr("0 digits"));
  EXPECT_THAT(error([](NeedleSettings& s) { s.needle = "The {value}."; }), HasSubstr("The {value}."));
  EXPECT_THAT(error([](NeedleSettings& s) { s.question = "Is {key} {value}?"; }),
              HasSubstr("has the answer"));
  EXPECT_THAT(error_of([&] { NeedleMaker(tokenizer_, {}, settings()); }), HasSubstr("empty"));
  EXPECT_THAT(error_of([] { needle_task_named("two"); }), HasSubstr("'two'"));
}

}  // namespace
}  // namespace fathom::testing
