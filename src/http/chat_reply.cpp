#include "http/chat_reply.h"

#include <limits>

#include "http/reply_parts.h"

namespace fathom {
namespace {

ChatReply failed(const std::string& reason) {
  ChatReply reply;
  reply.error = reason;
  return reply;
}

// choices[0].logprobs.content[0].top_logprobs: elements that are no token with a number are left out.
std::vector<LikelyToken> likely_tokens(const Json& choice) {
  const Json* list = member(first_of(member(member(&choice, "logprobs"), "content")), "top_logprobs");
  std::vector<LikelyToken> tokens;
  if (!list || !list->is_array()) return tokens;
  for (const Json& element : *list) {
    const Json *token = member(&element, "token"), *log_prob = member(&element, "logprob");
    if (!token || !token->is_string() || !log_prob) continue;
    if (log_prob->is_number())
      tokens.push_back({token->get<std::string>(), log_prob->get<double>()});
    else if (log_prob->is_null())
      tokens.push_back({token->get<std::string>(), -std::numeric_limits<double>::infinity()});
  }
  return tokens;
}

}  // namespace

ChatReply parse_chat_reply(const std::string& body) {
  const std::optional<Json> json = parse_sent(body);
  if (!json) return failed("the reply is not valid JSON");
  const Json* choice = first_of(member(&*json, "choices"));
  if (!choice) return failed("the reply has no 'choices'" + explained_in(body));
  const Json* content = member(member(choice, "message"), "content");
  ChatReply reply;
  reply.finish = text_of(member(choice, "finish_reason"));
  const Json* tokens = member(member(&*json, "usage"), "completion_tokens");
  if (tokens && tokens->is_number_unsigned()) reply.completion_tokens = tokens->get<int64_t>();
  if (!content || !content->is_string()) {
    reply.error = "the reply's message has no text";
    return reply;
  }
  reply.text = content->get<std::string>();
  reply.first = likely_tokens(*choice);
  return reply;
}

}  // namespace fathom
