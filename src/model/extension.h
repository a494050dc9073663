// A model's config for longer contexts than it was trained on (paper section 3.1.4): YaRN on the decoupled
// rotary part, with beta_slow 1, beta_fast 32 and, where mscale is 0.707, a softmax temperature of
// sqrt(t) = 0.0707 ln s + 1. The weights stay as they are; training at the new length comes after.
#pragma once
#include <cstdint>

#include "model/config.h"

namespace fathom {

// For contexts of `to` tokens. `from` is the length that the model was trained on; 0: its longest context.
// s = to / from, which need not be whole; with to = from nothing is stretched. A model that has YaRN keeps
// its own original length, betas and mscale: extending it twice is extending it once to the last length.
// Error naming the values when `to` is shorter than what the model reaches already, when `from` is not its
// YaRN's original length, and when no rotary pair is slow enough to be stretched. `where` begins the errors.
Config extended(const Config& config, int64_t to, int64_t from, const std::string& where);

}  // namespace fathom
