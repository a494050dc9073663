// What a server echoes: checked, and cut at the seam by the rule of the local run.
#include "eval/echo.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fathom {
namespace {

using ::testing::HasSubstr;

CompletionReply reply(const std::vector<std::string>& tokens) {
  CompletionReply r;
  r.text = "";
  for (const std::string& token : tokens) r.tokens.push_back({token, -1.0});
  if (!r.tokens.empty()) r.tokens[0].log_prob = {};
  return r;
}

TEST(Echo, LeavesOutWhatWasGenerated) {
  Echo echo = read_echo(reply({"<s>", "a", "b", "c"}), "ab");
  EXPECT_EQ(echo.problem, "");
  EXPECT_EQ(echo.tokens.size(), 3u);
  EXPECT_TRUE(echo.has_beginning());
  // Nothing was generated.
  echo = read_echo(reply({"a", "b"}), "ab");
  EXPECT_EQ(echo.tokens.size(), 2u);
  EXPECT_FALSE(echo.has_beginning());
  // By the server's count, where an end-of-sequence token is spelled as nothing.
  CompletionReply counted = reply({"a", "é", ""});
  counted.completion_tokens = 1;
  EXPECT_EQ(read_echo(counted, "aé").tokens.size(), 2u);
  counted = reply({"a", "", ""});
  counted.completion_tokens = 0;
  EXPECT_EQ(read_echo(counted, "aé").tokens.size(), 3u);
  // Two that are parts of a character; one that is counted, and not there.
  counted = reply({"a", "b", "", ""});
  counted.completion_tokens = 2;
  EXPECT_EQ(read_echo(counted, "ab").tokens.size(), 2u);
  counted = reply({"a", "b"});
  counted.completion_tokens = 1;
  EXPECT_EQ(read_echo(counted, "ab").tokens.size(), 2u);
  EXPECT_EQ(read_echo(reply({"x", "y", "z"}), 2).tokens.size(), 2u);
}

TEST(Echo, OfAnotherPromptIsNone) {
  EXPECT_THAT(read_echo(reply({}), "ab").problem, "the reply has no log-probabilities");
  EXPECT_THAT(read_echo(reply({"c"}), "ab").problem,
              "the 1 tokens of the reply do not spell the prompt, but 'c'");
  EXPECT_THAT(read_echo(reply({"a", "b", "c", "d"}), "ab").problem, HasSubstr("do not spell the prompt"));
  EXPECT_THAT(read_echo(reply({"a", "b", "c", "d"}), 2).problem,
              "the prompt has 2 tokens, and the reply log-probabilities of 4");
  CompletionReply counted = reply({"a", "b", "c"});
  counted.prompt_tokens = 3;
  EXPECT_THAT(read_echo(counted, 2).problem, HasSubstr("the server counts 3"));
  CompletionReply failed;
  failed.error = "HTTP status 500";
  EXPECT_THAT(read_echo(failed, "ab").problem, "HTTP status 500");
}

TEST(Echo, HasAValueForEveryTokenButTheFirst) {
  CompletionReply r = reply({"a", "b", "c", "d"});
  r.tokens[1].log_prob = {};
  EXPECT_THAT(read_echo(r, "abc").problem, "token 2 of 3 of the prompt, 'b', has no log-probability");
  r.tokens[1].log_prob = 0.5;
  EXPECT_THAT(read_echo(r, "abc").problem, HasSubstr("has the log-probability 0.5, above 0"));
  r.tokens[1].log_prob = 0;
  EXPECT_EQ(read_echo(r, "abc").problem, "");
}

TEST(Seams, InTokensThatAreSpelled) {
  const Echo plain = read_echo(reply({"<s>", "Q", ":", " A", "."}), "Q: A");
  EXPECT_EQ(cut_of(plain, 2), 3u);
  EXPECT_FALSE(crosses(plain, 2));
  // A token that lies across is the answer's.
  const Echo across = read_echo(reply({"Q", ": A", "."}), "Q: A");
  EXPECT_EQ(cut_of(across, 2), 1u);
  EXPECT_TRUE(crosses(across, 2));
  // So is every part of the answer's first character, however it is spelled.
  for (const auto& [first, second] :
       {std::pair("\ufffd", "\ufffd"), {"", "你"}, {"", ""}, {"bytes:\\xe4", "bytes:\\xbd\\xa0"}}) {
    const Echo parts = read_echo(reply({"Q", ":", first, second, "!"}), "Q:你");
    EXPECT_EQ(cut_of(parts, 2), 2u) << first;
    const Echo before = read_echo(reply({"Q", first, second, "x", "!"}), "Q你x");
    EXPECT_EQ(cut_of(before, 4), 3u) << first;
  }
  // Nothing before it but what the server put there, or nothing at all.
  EXPECT_EQ(cut_of(read_echo(reply({"<s>", "A", "."}), "A"), 0), 1u);
  EXPECT_EQ(cut_of(read_echo(reply({"A", "B", "."}), "AB"), 0), 0u);
}

}  // namespace
}  // namespace fathom
