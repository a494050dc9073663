#include "http/completion_reply.h"

#include <gtest/gtest.h>

#include "http/reply_parts.h"

namespace fathom {
namespace {

std::string with_choice(const std::string& more) {
  return R"({"choices": [{"text": "ab", "finish_reason": "length")" + more + "}]}";
}

TEST(CompletionReply, TokensAndTheirLogProbabilities) {
  const CompletionReply reply = parse_completion_reply(
      R"({"choices": [{"text": "ab", "finish_reason": "length", "logprobs": {"tokens": ["a", "b", "c", "d"],
      "token_logprobs": [null, -1.5, NaN, -Infinity], "text_offset": [-1, -1, -1, -1], "top_logprobs": null}}],
      "usage": {"prompt_tokens": 3, "completion_tokens": 1}})");
  EXPECT_EQ(reply.text, "ab");
  EXPECT_EQ(reply.finish, "length");
  ASSERT_EQ(reply.tokens.size(), 4u);
  EXPECT_EQ(reply.tokens[1].text, "b");
  EXPECT_EQ(reply.tokens[1].log_prob, -1.5);
  for (const size_t i : {0u, 2u, 3u}) EXPECT_FALSE(reply.tokens[i].log_prob.has_value()) << i;
  EXPECT_EQ(reply.prompt_tokens, 3);
  EXPECT_EQ(reply.completion_tokens, 1);
}

TEST(CompletionReply, InTheFormOfChatCompletions) {
  const CompletionReply reply =
      parse_completion_reply(with_choice(R"(, "logprobs": {"content": [{"token": "b", "logprob": -2}, 7]})"));
  ASSERT_EQ(reply.tokens.size(), 2u);
  EXPECT_EQ(reply.tokens[0].log_prob, -2);
}

TEST(CompletionReply, WithoutLogProbabilities) {
  for (const char* more : {"", R"(, "logprobs": null)", R"(, "logprobs": {})", R"(, "logprobs": 3)"}) {
    const CompletionReply reply = parse_completion_reply(with_choice(more));
    EXPECT_EQ(reply.text, "ab") << more;
    EXPECT_TRUE(reply.tokens.empty());
    EXPECT_FALSE(reply.prompt_tokens.has_value());
  }
}

TEST(CompletionReply, WhatIsWrongIsItsError) {
  const auto error = [](const std::string& body) {
    const CompletionReply reply = parse_completion_reply(body);
    return reply.text ? "none" : reply.error;
  };
  EXPECT_EQ(error("{\"choices\": [{\"te"), "the reply is not valid JSON");
  EXPECT_EQ(error("{}"), "the reply has no 'choices'");
  EXPECT_EQ(error(R"({"choices": [{"message": {"content": "a"}}]})"), "the reply's choice has no 'text'");
  EXPECT_EQ(error(with_choice(R"(, "logprobs": {"tokens": ["a"], "token_logprobs": [-1, -2]})")),
            "the reply has 1 tokens and 2 log-probabilities");
  EXPECT_EQ(error(with_choice(R"(, "logprobs": {"tokens": [7], "token_logprobs": [-1]})")),
            "token 0 of the reply is no text");
  EXPECT_EQ(error(with_choice(R"(, "logprobs": {"tokens": ["a"]})")),
            "the reply's 'logprobs' has no lists 'tokens' and 'token_logprobs'");
}

TEST(Refusals, AreExplainedByWhateverFormTheyHave) {
  EXPECT_EQ(explained_in(R"({"error": {"message": "a\nb", "code": 400}})"), ": a b");
  EXPECT_EQ(explained_in(R"({"error": "a"})"), ": a");
  EXPECT_EQ(explained_in(R"({"object": "error", "message": "a"})"), ": a");
  EXPECT_EQ(explained_in(R"({"detail": "a"})"), ": a");
  EXPECT_EQ(explained_in(R"({"detail": [{"loc": ["body"], "msg": "a"}]})"), ": a");
  for (const char* body : {"", "[]", "7", "{}", R"({"error": {}})", R"({"detail": [3]})"})
    EXPECT_EQ(explained_in(body), "") << body;
}

TEST(Refusals, OfWhatIsTooLongAreKnownByTheirWords) {
  for (const char* message :
       {"This model's maximum context length is 64 tokens", "exceeds the available context size",
        "The decoder prompt (length 9) is longer than the maximum model length of 8"})
    EXPECT_TRUE(says_too_long({400, fmt::format("{{\"error\": {{\"message\": \"{}\"}}}}", message), ""}))
        << message;
  EXPECT_TRUE(
      says_too_long({422, R"({"error": "`inputs` must have less than 1024 tokens. Given: 2000"})", ""}));
  EXPECT_FALSE(says_too_long({400, R"({"error": "echo is not supported"})", ""}));
  EXPECT_FALSE(says_too_long({500, "context length", ""}));
}

}  // namespace
}  // namespace fathom
