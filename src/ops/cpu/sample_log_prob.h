// The log-probability of a sampled token (ops/sample.h), vectorized.
#pragma once
#include <cstdint>

namespace fathom::cpu {

// log softmax(logits / temperature)[id] of V finite or minus infinite logits, of which `best` is the largest.
double sample_log_prob(const float* logits, int64_t V, int64_t id, int64_t best, double temperature);

}  // namespace fathom::cpu
