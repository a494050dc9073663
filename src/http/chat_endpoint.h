// Chat completions from an OpenAI-compatible endpoint: judges, and models that are evaluated over a server.
#pragma once
#include <string>

#include "http/chat_reply.h"
#include "http/endpoint.h"
#include "http/sent_sampling.h"
#include "io/json.h"

namespace fathom {

struct ChatRequest {
  Json messages;  // OpenAI's form
  SentSampling sampling;
  int top_log_probs = 0;  // how many of the most likely tokens are to come along
};

class ChatEndpoint {
 public:
  // `base`: up to and with ".../v1"; the whole address of chat completions is taken too. `where` stands in
  // errors. `model`: the name that the endpoint knows it by.
  ChatEndpoint(const std::string& base, const std::string& where, std::string model);

  // Time-outs, retries, headers: to be set before anything is asked.
  HttpEndpoint& http() { return http_; }
  const HttpEndpoint& http() const { return http_; }
  const std::string& model() const { return model_; }

  // From any thread. A failure is the reply's error.
  ChatReply ask(const ChatRequest& request) const;

 private:
  HttpEndpoint http_;
  std::string model_;
};

}  // namespace fathom
