// Who answers requests of tokens: the engine, or a server.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "engine/engine.h"
#include "eval/measured.h"

namespace fathom {

struct AnsweredRequest {
  std::vector<double> scores;  // with Request::scoring: of the prompt's tokens, then of `next`
  MeasuredSample sample;       // without it
  std::string error;           // why there is neither
};

class Answerer {
 public:
  Answerer() = default;
  Answerer(const Answerer&) = delete;
  virtual ~Answerer() = default;

  virtual int64_t longest() const = 0;         // tokens of a prompt and what is generated
  virtual int64_t longest_scored() const = 0;  // tokens of a prompt and an answer that is given
  // take(n, answer) for the n-th request, in the order of their ends; idle() now and then. What they throw
  // ends it.
  virtual void answer(std::vector<Request> requests,
                      const std::function<void(size_t, AnsweredRequest&&)>& take,
                      const std::function<void()>& idle) = 0;
  // What was computed before is not used again.
  virtual void forget() {}
};

class EngineAnswerer : public Answerer {
 public:
  // The engine scores (EngineOptions::score) and has no other requests. It must outlive this.
  explicit EngineAnswerer(Engine& engine) : engine_(engine) {}

  int64_t longest() const override { return engine_.longest(); }
  int64_t longest_scored() const override { return engine_.longest() + 1; }  // the last token is not run
  void answer(std::vector<Request> requests, const std::function<void(size_t, AnsweredRequest&&)>& take,
              const std::function<void()>& idle) override;
  void forget() override { engine_.forget_prefixes(); }

 private:
  Engine& engine_;
};

}  // namespace fathom
