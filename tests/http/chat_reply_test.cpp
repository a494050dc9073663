#include "http/chat_reply.h"

#include <gtest/gtest.h>

#include <cmath>

namespace fathom {
namespace {

std::string error_in(const std::string& body) {
  const ChatReply reply = parse_chat_reply(body);
  return reply.text ? "none" : reply.error;
}

TEST(ChatReply, TextReasonAndLikelyTokens) {
  const ChatReply reply = parse_chat_reply(R"({"choices": [{"message": {"role": "assistant", "content": "m"},
    "finish_reason": "length", "logprobs": {"content": [{"token": "m", "logprob": -0.1, "top_logprobs": [
      {"token": "m", "logprob": -0.1}, {"token": "M", "logprob": null}, {"token": "x", "logprob": -Infinity},
      {"token": 7, "logprob": -1}, 5, {"token": "y"}]}]}}]})");
  EXPECT_EQ(reply.text, "m");
  EXPECT_EQ(reply.finish, "length");
  ASSERT_EQ(reply.first.size(), 3u);
  EXPECT_EQ(reply.first[0].log_prob, -0.1);
  EXPECT_TRUE(std::isinf(reply.first[1].log_prob));
  EXPECT_TRUE(std::isinf(reply.first[2].log_prob));
}

TEST(ChatReply, WithoutLogProbabilities) {
  for (const char* logprobs :
       {"", R"(, "logprobs": null)", R"(, "logprobs": {"content": []})",
        R"(, "logprobs": {"content": [{"top_logprobs": {}}]})", R"(, "logprobs": 3)"}) {
    const ChatReply reply =
        parse_chat_reply(std::string(R"({"choices": [{"message": {"content": "a"})") + logprobs + "}]}");
    EXPECT_EQ(reply.text, "a");
    EXPECT_TRUE(reply.first.empty());
  }
}

TEST(ChatReply, WhatIsWrongIsItsError) {
  EXPECT_EQ(error_in("hello"), "the reply is not valid JSON");
  EXPECT_EQ(error_in(""), "the reply is not valid JSON");
  for (const char* body : {"[]", "{}", R"({"choices": []})", R"({"choices": {}})", "7"})
    EXPECT_EQ(error_in(body), "the reply has no 'choices'");
  EXPECT_EQ(error_in(R"({"error": {"message": "no such\nmodel"}})"),
            "the reply has no 'choices': no such model");
  EXPECT_EQ(error_in(R"({"error": "busy"})"), "the reply has no 'choices': busy");
  for (const char* choice : {"{}", "5", R"({"message": {}})", R"({"message": {"content": null}})",
                             R"({"message": {"content": ["a"]}})"})
    EXPECT_EQ(error_in(std::string(R"({"choices": [)") + choice + "]}"), "the reply's message has no text");
}

}  // namespace
}  // namespace fathom
