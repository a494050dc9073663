#include "eval/served_sample.h"

#include <algorithm>

#include "base/error.h"
#include "text/sent_json.h"

namespace fathom {
namespace {

FinishReason reason_of(const std::string& finish) {
  for (const char* name : {"length", "max_tokens"})
    if (finish == name) return FinishReason::length;
  for (const char* name : {"stop", "eos", "eos_token", "stop_sequence", "content_filter", ""})
    if (finish == name) return FinishReason::stop;
  fail("the server ended an answer with '{}'", as_reason(finish));
}

}  // namespace

SentSampling sent_sampling(const SamplingParameters& sampling, int64_t max_tokens,
                           const std::vector<std::string>& stop) {
  constexpr ptrdiff_t most_stops = 4;
  return {.temperature = sampling.temperature,
          .max_tokens = max_tokens,
          .seed = sampling.seed,
          .top_p = sampling.top_p,
          .top_k = sampling.top_k,
          .min_p = sampling.min_p,
          .stop = {stop.begin(), stop.begin() + std::min(std::ssize(stop), most_stops)}};
}

MeasuredSample served_sample(std::string text, const std::string& finish, std::optional<int64_t> tokens,
                             const std::vector<std::string>& stop) {
  MeasuredSample sample{std::move(text), tokens.value_or(0), reason_of(finish)};
  size_t end = std::string::npos;
  for (const std::string& string : stop) end = std::min(end, sample.output.find(string));
  if (end == std::string::npos) return sample;
  sample.output.resize(end);
  sample.finish = FinishReason::stop;
  return sample;
}

}  // namespace fathom
