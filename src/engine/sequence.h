// Sequence: one request on its way through the engine. Plain data; Scheduler, Runner and Engine work on it.
#pragma once
#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/sampling.h"

namespace fathom {

// When a sequence ends. It always ends when it fills the model's context or the cache.
struct StopConditions {
  int64_t max_tokens = 256;  // at most this many generated tokens
  std::vector<int64_t>
      eos_token_ids;  // any of them ends it; the token counts as generated, its text is not shown
  std::vector<std::string> strings;  // text that ends it; none of that text is shown
};

// Log-probabilities of tokens that are given, in place of an answer.
struct Scoring {
  int64_t first = 1;          // of the prompt's tokens from this one on: 1 .. the prompt's length
  std::vector<int32_t> next;  // and of each of these as the token behind the prompt
  static constexpr size_t most_next = 64;
};

struct Request {
  std::vector<int32_t> prompt;
  SamplingParameters sampling;
  StopConditions stop;
  bool log_probs = false;               // whether its tokens come with their log-probabilities
  std::optional<Scoring> scoring = {};  // nothing is generated then
};

enum class FinishReason {
  none,
  stop,     // an end-of-sequence token or a stop string
  length,   // max_tokens
  context,  // the model's context or the cache is full
  error,    // the model's output is not finite
  scored,   // the log-probabilities that Request::scoring asks for are there
};

constexpr std::string_view name_of(FinishReason reason) {
  switch (reason) {
    case FinishReason::none:
      return "none";
    case FinishReason::stop:
      return "stop";
    case FinishReason::length:
      return "length";
    case FinishReason::context:
      return "context";
    case FinishReason::error:
      return "error";
    case FinishReason::scored:
      return "scored";
  }
  return "?";
}

struct Sequence {
  int64_t id = 0;
  std::vector<int32_t> tokens;  // the prompt, then what was generated
  int64_t prompt_length = 0;
  int64_t longest = 0;         // it ends when it has this many tokens
  int64_t cached = 0;          // this many tokens, from the first on, are in the latent cache
  std::vector<int32_t> pages;  // of the cache: token t is in pages[t / page_size]
  SamplingParameters sampling;
  StopConditions stop;
  bool log_probs = false;
  std::optional<Scoring> scoring = {};
  std::vector<double> scores = {};  // of scoring: the prompt's tokens from `first` on, then those of `next`
  FinishReason finish = FinishReason::none;

  int64_t length() const { return static_cast<int64_t>(tokens.size()); }
  int64_t generated() const { return length() - prompt_length; }
  // Tokens that the model has yet to see: many in a prompt, one while decoding.
  int64_t pending() const { return length() - cached; }
  // Tokens at its beginning that others may have computed: what follows is run for its logits.
  int64_t shareable() const { return scoring ? std::min(scoring->first, length()) - 1 : length() - 1; }
};

}  // namespace fathom
