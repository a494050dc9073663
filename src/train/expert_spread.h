// Over how many of the ranks that share a layer's routed experts the choices of a token spread.
#pragma once
#include <cstdint>

#include "model/config.h"

namespace fathom {

// Ranks of an expert group that a token's experts are on, on average, when all choices that the config allows
// are equally likely; its own rank counts. At most min(K, ranks), and under device-limited routing
// groups_per_token() when each rank has one group of experts.
double ranks_per_token(const Config& config, int64_t expert_ranks);
// The most that can be.
int64_t most_ranks_per_token(const Config& config, int64_t expert_ranks);

}  // namespace fathom
