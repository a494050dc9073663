// A model behind an OpenAI-compatible server, asked many things at a time.
#pragma once
#include <atomic>
#include <cstdint>
#include <string>
#include <utility>

#include "http/ask_all.h"
#include "http/chat_endpoint.h"
#include "http/completion_endpoint.h"

namespace fathom {

class ModelServer {
 public:
  // `base` as for the endpoints, `http` what both have of time-outs, retries and headers; `context`: tokens
  // of prompt and answer together.
  ModelServer(const std::string& base, const std::string& model, const HttpEndpoint& http, int64_t parallel,
              int64_t context)
      : base_(base),
        parallel_(parallel),
        context_(context),
        completions_(base, "--url", model),
        chat_(base, "--url", model) {
    for (HttpEndpoint* endpoint : {&completions_.http(), &chat_.http()}) {
      HttpTarget target = std::move(endpoint->target);
      *endpoint = http;
      endpoint->target = std::move(target);
      endpoint->limits.stop = &stop_;
    }
  }
  ModelServer(const ModelServer&) = delete;

  const std::string& base() const { return base_; }
  int64_t context() const { return context_; }
  // From now on answers are sampled as the requests say in full, if the server takes that: whether it does.
  // `chat`: in chat completions.
  bool set_sampling_in_full(bool chat) {
    in_full_ = true;
    in_full_ =
        chat ? this->chat({.messages = {{{"role", "user"}, {"content", "Hello"}}}, .sampling = {}}).reached
             : complete({.prompt = "Hello"}).reached;
    return in_full_;
  }

  CompletionReply complete(CompletionRequest request) const {
    request.sampling.in_full = in_full_ && !request.echo;
    return completions_.ask(request);
  }
  ChatReply chat(ChatRequest request) const {
    request.sampling.in_full = in_full_;
    return chat_.ask(request);
  }

  // As ask_all(): work(i), which asks this, on threads of their own, take(i, result) and idle() on this one.
  template <class Work, class Take, class Idle>
  void ask_each(size_t count, const Work& work, const Take& take, const Idle& idle) {
    stop_ = false;
    ask_all(count, parallel_, stop_, work, take, idle);
  }

 private:
  std::string base_;
  int64_t parallel_, context_;
  std::atomic<bool> stop_ = false;
  bool in_full_ = false;
  CompletionEndpoint completions_;
  ChatEndpoint chat_;
};

}  // namespace fathom
