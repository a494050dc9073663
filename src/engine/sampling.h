// How a request wants its tokens picked (ops/sample.h does it). docs/generation.md says what each does.
#pragma once
#include <cstdint>

namespace fathom {

struct SamplingParameters {
  double temperature = 0;  // divides the logits; 0: always the most likely token, the rest is ignored
  int64_t top_k = 0;       // keep the k most likely tokens; 0: all
  double top_p = 1;        // keep the fewest most likely tokens that hold this much probability; 1: all
  double min_p = 0;        // drop tokens less likely than this times the most likely one; 0: none
  uint64_t seed = 0;       // with the position, the only source of randomness
};

// Throws Error naming the parameter that cannot work.
void check_sampling(const SamplingParameters& parameters);

// The draw for the token at this place of its sequence: a pure function of seed and position, so that a token
// does not depend on what else is in the batch. In [0, 1).
double sampling_draw(const SamplingParameters& parameters, int64_t position);

}  // namespace fathom
