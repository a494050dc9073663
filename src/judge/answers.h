// Answers of the model that is judged: through the engine with its chat template, or from an
// OpenAI-compatible server.
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>

#include "engine/engine.h"
#include "engine/generation_config.h"
#include "http/chat_endpoint.h"
#include "io/json.h"
#include "judge/alpaca.h"
#include "judge/mt_bench.h"
#include "text/chat_template.h"

namespace fathom {

// A conversation that ends with a question.
struct Asked {
  std::string id;
  Json messages;
  std::optional<double> temperature;  // none: the model's own
  uint64_t seed = 0;
  int64_t max_tokens = 1024;
};
struct Answered {
  std::string text;
  std::string finish;   // "stop", "length", or "context": there was no room for the prompt
  std::string failure;  // why there is no answer
};

// Answers all of them, in any order: take(i, answer).
using AnswerAll = std::function<void(std::span<const Asked>, const std::function<void(size_t, Answered&&)>&)>;

// The parts must outlive it. Text is as it was generated, but for a lead that the template writes itself.
// Error for an output that is not finite, and for an interrupt.
struct EngineParts {
  Engine& engine;
  const Tokenizer& tokenizer;
  const ChatTemplate& chat;
  GenerationConfig defaults;
};
AnswerAll answers_of_engine(EngineParts parts);
// `parallel` requests at a time. Without a temperature of its own a request has 0.7, which upstream uses.
AnswerAll answers_of_endpoint(ChatEndpoint& endpoint, int64_t parallel);

// Both turns, the second with the first answer before it. What the journal has is not asked again. Error when
// some could not be answered: the next run asks for those.
MtAnswers answer_mt_bench(const std::vector<MtQuestion>& questions, const std::string& model,
                          const AnswerAll& answer, int64_t max_tokens, uint64_t seed, Journal& journal);
// The same for the instructions of a baseline.
AlpacaOutputs answer_alpaca(const AlpacaOutputs& baseline, const std::string& model, const AnswerAll& answer,
                            int64_t max_tokens, uint64_t seed, Journal& journal);

// How the answers of a journal ended, for a person: "3 of 160 were cut at the limit, 1 is empty"; or nothing.
std::string endings_of(const Journal& journal);

}  // namespace fathom
