// Rotary frequencies and attention temperature under YaRN (Peng et al. 2023), in DeepSeek-V2's form (paper
// section 3.1.4).
#pragma once
#include <vector>

#include "model/config.h"

namespace fathom {

struct RopeParameters {
  std::vector<double> inv_freq;  // [Dr/2]
  double cos_sin_factor;         // multiplies cos and sin
  double softmax_scale;          // (Dn+Dr)^-1/2, times m^2 with m from mscale_all_dim
};

// RopeParameters' softmax_scale alone.
double softmax_scale(const Config& config);
// The formula is static: it holds at every length, also below the original one.
RopeParameters rope_parameters(const Config& config);

}  // namespace fathom
