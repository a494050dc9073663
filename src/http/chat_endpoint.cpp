#include "http/chat_endpoint.h"

#include <fmt/format.h>

#include <utility>

#include "text/sent_json.h"

namespace fathom {
namespace {

Json body_of(const ChatRequest& request, const std::string& model) {
  Json body = {{"model", model},
               {"messages", request.messages},
               {"temperature", request.temperature},
               {"max_tokens", request.max_tokens}};
  // Above the 63 bits that every reader of JSON has, a seed would be refused.
  if (request.seed) body["seed"] = *request.seed >> 1;
  if (request.top_log_probs > 0) body["logprobs"] = true, body["top_logprobs"] = request.top_log_probs;
  return body;
}

}  // namespace

ChatEndpoint::ChatEndpoint(const std::string& base, const std::string& where, std::string model)
    : model_(std::move(model)) {
  constexpr std::string_view route = "/chat/completions";
  http_.target = parse_http_url(base, where);
  std::string& path = http_.target.path;
  if (path.ends_with(route)) return;
  while (path.ends_with('/')) path.pop_back();
  path += route;
}

ChatReply ChatEndpoint::ask(const ChatRequest& request) const {
  const HttpReply reply = post_with_retries(http_, json_line(body_of(request, model_)));
  if (reply.status == 200) return parse_chat_reply(reply.body);
  ChatReply failed;
  failed.reached = false;
  failed.error = as_reason(
      reply.status ? fmt::format("HTTP status {}{}", reply.status, explained_in(reply.body)) : reply.error);
  return failed;
}

}  // namespace fathom
