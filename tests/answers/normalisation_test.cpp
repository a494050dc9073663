#include "answers/normalisation.h"

#include <gtest/gtest.h>

#include "support/temp_dir.h"

namespace fathom {
namespace {

std::string after(std::string_view text, std::vector<Normalisation> steps) {
  return normalised(text, steps);
}

TEST(Normalisation, EachStep) {
  using enum Normalisation;
  EXPECT_EQ(after(" \n a  b\t", {trim}), "a  b");
  EXPECT_EQ(after("a \n b  c", {spaces}), "a b c");
  EXPECT_EQ(after("Ab ÄÖ", {lower}), "ab äö");
  EXPECT_EQ(after("it's (so)!", {punctuation}), "its so");
  EXPECT_EQ(after("the cat ate an apple the", {articles}), "cat ate apple ");
  EXPECT_EQ(after("1,234,567 and 1,23 and 12,3456", {thousands}), "1234567 and 1,23 and 12,3456");
  EXPECT_EQ(after("1,2,345,", {commas}), "12345");
  EXPECT_EQ(after("rock_n\u2019roll (I\u2018m)", {punctuation_as_blank}), "rock n roll  I m ");
  EXPECT_EQ(after("\u201c\u957f\u6c5f\u201d\uff0c\u5168-\u957f+6300.5\u2026", {cmrc_punctuation}),
            "\u957f\u6c5f\u5168\u957f6300.5\u2026");
  EXPECT_EQ(after("", {trim, spaces, lower, punctuation, articles, thousands}), "");
}

TEST(Normalisation, StepsAreTakenInTheirOrder) {
  using enum Normalisation;
  EXPECT_EQ(after(" The  End. ", {lower, articles, punctuation, spaces, trim}), "end");
  EXPECT_EQ(after("The End", {articles, lower}), "the end");  // "The" is no article before it is lower case
}

TEST(Normalisation, AnUnknownNameIsAnError) {
  EXPECT_EQ(error_of([] { parse_normalisation("lowr", "key 'normalise'"); }),
            "key 'normalise': unknown normalisation 'lowr': did you mean lower?");
}

}  // namespace
}  // namespace fathom
