#include "judge/verdict.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace fathom {
namespace {

std::string rating(const std::string& text) {
  const JudgeVerdict<double> v = read_rating(text);
  return v.value ? fmt::format("{}", *v.value) : v.failure;
}
std::string winner(const std::string& text) {
  const JudgeVerdict<Winner> v = read_winner(text);
  return v.value ? fmt::format("{}", static_cast<int>(*v.value)) : v.failure;
}

TEST(Reading, RatingsAsUpstreamFindsThem) {
  EXPECT_EQ(rating("Good. Rating: [[7]]"), "7");
  EXPECT_EQ(rating("[[7.5]]"), "7.5");
  EXPECT_EQ(rating("[[10]]"), "10");
  EXPECT_EQ(rating("[[1.]]"), "1");
  EXPECT_EQ(rating("Rating: [[3]] ... no: [[9]]"), "3");    // the first one
  EXPECT_EQ(rating("It writes a[2]. Rating: [[9]]"), "9");  // two brackets before one
  EXPECT_EQ(rating("Rating: [8]"), "8");                    // one bracket where there are no two
  EXPECT_EQ(rating("[[[6]]]"), "6");
  EXPECT_EQ(rating("[[x]] [[5]]"), "5");
}

TEST(Reading, RatingsOutOfRangeAreFailuresAndNotClamped) {
  const std::string outside = "a rating outside 1 to 10";
  for (const char* text : {"[[0]]", "[[11]]", "[[10.1]]", "[[0.99]]", "[[100]] [[5]]", "[0]"})
    EXPECT_EQ(rating(text), outside) << text;
  EXPECT_EQ(rating("[[" + std::string(5000, '9') + "]]"), outside);
  for (const char* text :
       {"", "7", "[[]]", "[[7", "[[-3]]", "[[ 7 ]]", "[[7/10]]", "[[seven]]", "$ERROR$", "[[7.5.1]]"})
    EXPECT_EQ(rating(text), "no rating") << text;
}

TEST(Reading, Winners) {
  EXPECT_EQ(winner("so [[A]]"), "0");
  EXPECT_EQ(winner("so [[B]]."), "1");
  EXPECT_EQ(winner("[[C]] [[C]]"), "2");
  EXPECT_EQ(winner("[[A]] or [[B]]"), "several verdicts");
  for (const char* text : {"", "[A]", "[[D]]", "A", "[[a]]", "[[A]"})
    EXPECT_EQ(winner(text), "no verdict") << text;
}

ChatReply reply_of(const std::string& text, std::vector<LikelyToken> first) {
  ChatReply reply;
  reply.text = text;
  reply.first = std::move(first);
  return reply;
}

TEST(Reading, PreferencesByLogProbabilities) {
  const JudgeVerdict<Preferred> real =
      read_preferred(reply_of("M", {{"M", std::log(0.6)}, {"m", std::log(0.2)}, {"The", std::log(0.15)}}));
  ASSERT_TRUE(real.value);
  EXPECT_NEAR(real.value->first, 0.25, 1e-15);  // of the two words alone
  EXPECT_TRUE(real.value->weighted);
  const double minus_infinity = -std::numeric_limits<double>::infinity();
  EXPECT_EQ(read_preferred(reply_of("m", {{"m", -2000}, {"x", -1}})).value->first, 1);
  EXPECT_EQ(read_preferred(reply_of("m", {{"M", -3}, {"m", minus_infinity}})).value->first, 0);
  EXPECT_EQ(read_preferred(reply_of("m", {{"M", -3000}, {"m", -3000}})).value->first, 0.5);
  EXPECT_EQ(read_preferred(reply_of("m", {{" m", -1}, {"x", -1}})).failure,
            "neither m nor M among the likely tokens");
  EXPECT_EQ(read_preferred(reply_of("m", {{"m", minus_infinity}})).failure,
            "neither m nor M among the likely tokens");
}

TEST(Reading, PreferencesByTheWordAlone) {
  const JudgeVerdict<Preferred> first = read_preferred(reply_of(" m\n", {}));
  EXPECT_EQ(first.value->first, 1);
  EXPECT_FALSE(first.value->weighted);
  EXPECT_EQ(read_preferred(reply_of("M", {})).value->first, 0);
  for (const char* text : {"", "mM", "the first", "m."})
    EXPECT_EQ(read_preferred(reply_of(text, {})).failure, "neither m nor M");
}

}  // namespace
}  // namespace fathom
