// Many requests through an engine that has no others, to their ends: rollouts and evaluations.
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "engine/engine.h"

namespace fathom {

struct Completion {
  std::vector<int32_t> tokens;    // generated
  std::vector<double> log_probs;  // of the tokens, with Request::log_probs
  std::string text = {};
  FinishReason finish = FinishReason::none;  // none: it was dropped before its end
  std::string error = {};                    // for FinishReason::error
  ChosenExperts experts = {};                // with EngineOptions::record_experts: of all tokens but the last
  std::vector<double> scores = {};           // of given tokens, with Request::scoring
};

struct GenerationProgress {
  int64_t finished = 0;  // requests
  int64_t tokens = 0;    // generated
};

// Called after each step: whether to go on. Else, or when it throws, what is under way is dropped, and the
// engine is free again.
using GenerationStep = std::function<bool(const GenerationProgress&)>;

// Completions in the order of the requests; all are there, finished or not. In the engine wait no more
// requests than keep it busy. A request that cannot work is an Error, as in Engine::submit.
std::vector<Completion> generate_all(Engine& engine, std::vector<Request> requests,
                                     const GenerationStep& after_step = {});

// The same for requests that are made when there is room for them, until `next` gives none, and for answers
// that are handed on as they come: finished(n, completion) for the n-th request, in the order of their ends;
// not for those that are dropped.
void generate_each(Engine& engine, const std::function<std::optional<Request>()>& next,
                   const std::function<void(int64_t, Completion&&)>& finished,
                   const GenerationStep& after_step = {});

}  // namespace fathom
