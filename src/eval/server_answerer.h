// Requests of tokens through a server that takes token ids: what is scored is what the engine would score.
#pragma once
#include "eval/answerer.h"
#include "eval/model_server.h"

namespace fathom {

class ServerAnswerer : public Answerer {
 public:
  // The server must outlive this.
  explicit ServerAnswerer(ModelServer& server) : server_(server) {}

  int64_t longest() const override { return server_.context(); }
  // Servers generate a token at least.
  int64_t longest_scored() const override { return server_.context() - 1; }
  void answer(std::vector<Request> requests, const std::function<void(size_t, AnsweredRequest&&)>& take,
              const std::function<void()>& idle) override;

 private:
  AnsweredRequest answer_one(const Request& request) const;
  AnsweredRequest score(const Request& request) const;

  ModelServer& server_;
};

}  // namespace fathom
