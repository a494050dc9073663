// How an OpenAI-compatible endpoint is to pick the tokens of an answer.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "io/json.h"

namespace fathom {

struct SentSampling {
  double temperature = 0;
  int64_t max_tokens = 1;
  std::optional<uint64_t> seed = {};
  double top_p = 1;
  int64_t top_k = 0;  // 0: all
  double min_p = 0;
  std::vector<std::string> stop = {};
  // Whether the endpoint is told everything that it may otherwise take from defaults of its own or of the
  // model: OpenAI's refuses what it does not know, others ignore that.
  bool in_full = false;
};

// As members of a request.
inline void add_sampling(Json& body, const SentSampling& s) {
  body["temperature"] = s.temperature;
  body["max_tokens"] = s.max_tokens;
  // Above the 63 bits that every reader of JSON has, a seed would be refused.
  if (s.seed) body["seed"] = *s.seed >> 1;
  if (s.in_full || s.top_p != 1) body["top_p"] = s.top_p;
  // More than any vocabulary has: some take 0 for all, some -1, some refuse the one or the other.
  constexpr int64_t all = 1'000'000;
  if (s.in_full || s.top_k > 0) body["top_k"] = s.top_k > 0 ? s.top_k : all;
  if (s.in_full || s.min_p > 0) body["min_p"] = s.min_p;
  // Of vLLM, SGLang, text-generation-inference; of llama.cpp and llama-cpp-python.
  if (s.in_full) body["repetition_penalty"] = 1.0, body["repeat_penalty"] = 1.0;
  if (!s.stop.empty()) body["stop"] = s.stop;
}

}  // namespace fathom
