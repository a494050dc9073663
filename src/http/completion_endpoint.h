// Completions of an OpenAI-compatible endpoint: texts or tokens that it goes on with, or whose
// log-probabilities it tells.
#pragma once
#include <string>

#include "http/completion_reply.h"
#include "http/endpoint.h"
#include "http/sent_sampling.h"
#include "io/json.h"

namespace fathom {

struct CompletionRequest {
  Json prompt;             // a text, or a list of token ids
  bool echo = false;       // whether the prompt's own tokens come along
  bool log_probs = false;  // of every token that comes
  SentSampling sampling = {};
};

class CompletionEndpoint {
 public:
  // As for ChatEndpoint.
  CompletionEndpoint(const std::string& base, const std::string& where, std::string model);

  HttpEndpoint& http() { return http_; }
  const std::string& model() const { return model_; }

  // From any thread. A failure is the reply's error.
  CompletionReply ask(const CompletionRequest& request) const;

 private:
  HttpEndpoint http_;
  std::string model_;
};

}  // namespace fathom
