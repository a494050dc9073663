// An answer that a server has generated, as one of the engine's.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "eval/measured.h"
#include "eval/task.h"
#include "http/sent_sampling.h"

namespace fathom {

// What a server is told of a task's generation. OpenAI takes four stop strings, so that no more are sent;
// served_sample() looks for all.
SentSampling sent_sampling(const SamplingParameters& sampling, int64_t max_tokens,
                           const std::vector<std::string>& stop);

// Ends at the earliest stop string. `tokens` by the server's count, where it says one. Error for a finish
// that is no end of an answer.
MeasuredSample served_sample(std::string text, const std::string& finish, std::optional<int64_t> tokens,
                             const std::vector<std::string>& stop);

}  // namespace fathom
