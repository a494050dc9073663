#include "http/chat_reply.h"

#include <limits>

#include "text/sent_json.h"

namespace fathom {
namespace {

ChatReply failed(const std::string& reason) {
  ChatReply reply;
  reply.error = reason;
  return reply;
}

const Json* member(const Json* json, const char* key) {
  if (!json || !json->is_object()) return nullptr;
  const auto found = json->find(key);
  return found == json->end() ? nullptr : &*found;
}

const Json* first_of(const Json* json) {
  return json && json->is_array() && !json->empty() ? &(*json)[0] : nullptr;
}

std::string text_of(const Json* json) {
  return json && json->is_string() ? json->get<std::string>() : "";
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
  if (!content || !content->is_string()) return failed("the reply's message has no text");
  ChatReply reply;
  reply.text = content->get<std::string>();
  reply.finish = text_of(member(choice, "finish_reason"));
  reply.first = likely_tokens(*choice);
  return reply;
}

std::string explained_in(const std::string& body) {
  const std::optional<Json> json = parse_sent(body);
  const Json* error = json ? member(&*json, "error") : nullptr;
  std::string message = text_of(member(error, "message"));
  if (message.empty()) message = text_of(error);
  return message.empty() ? "" : ": " + as_reason(message);
}

}  // namespace fathom
