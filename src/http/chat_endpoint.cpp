#include "http/chat_endpoint.h"

#include <utility>

#include "http/reply_parts.h"

namespace fathom {

ChatEndpoint::ChatEndpoint(const std::string& base, const std::string& where, std::string model)
    : model_(std::move(model)) {
  http_.target = route_of(base, "/chat/completions", where);
}

ChatReply ChatEndpoint::ask(const ChatRequest& request) const {
  Json body = {{"model", model_}, {"messages", request.messages}};
  add_sampling(body, request.sampling);
  if (request.top_log_probs > 0) body["logprobs"] = true, body["top_logprobs"] = request.top_log_probs;
  return read_reply(post_with_retries(http_, json_line(body)), parse_chat_reply);
}

}  // namespace fathom
