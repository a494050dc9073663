// Samples a token from each row of logits, in Hugging Face's order: temperature divides the logits; top-k
// keeps the k most likely tokens (of equally likely ones the lower ids); top-p keeps the smallest set of the
// most likely of those whose share of their probability reaches p; min-p keeps those at least min_p times as
// likely as the most likely one. Then one draw by inverse transform: the first token, in order of id, at
// which the running sum of weights exceeds `draw` of the total.
//
// The token of a row depends on the row and its settings only. So does its log-probability, which is that of
// the model at this temperature: of all tokens, before anything is filtered out.
#pragma once
#include <string>

#include "ops/dispatch.h"

namespace fathom {

struct Sample {
  Tensor ids;       // [n] i32; negative where nothing can be sampled (sample_failure)
  Tensor logits;    // [n, V] stat
  Tensor settings;  // [n, 4] f64, the columns of SampleSetting
  Tensor top_k;     // [n] i32; 0: all
  // log softmax(logits / temperature) of the token that was picked, over all V; at temperature 1 where the
  // temperature is 0. NaN where nothing can be sampled. To 1e-6 of itself, or 1e-30. May be absent.
  Tensor log_probs = {};  // [n] stat
};

namespace sample_setting {
// temperature 0 is the most likely token, whatever the rest; top_p 1 and min_p 0 keep all; draw is in [0, 1).
enum Column { temperature, top_p, min_p, draw, columns };
}  // namespace sample_setting

// What a negative id says: the first token whose logit is NaN or plus infinity, or that all are minus
// infinity.
constexpr int32_t sample_nothing_likely = INT32_MIN;
constexpr int32_t sample_not_finite(int64_t token) {
  return static_cast<int32_t>(-1 - token);
}
std::string sample_failure(int32_t id);

FATHOM_OP(sample, Sample)

}  // namespace fathom
