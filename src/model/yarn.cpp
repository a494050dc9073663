#include "model/yarn.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace fathom {
namespace {

// The paper's sqrt(t) = 0.1 * mscale * ln(s) + 1.
double temperature(double factor, double mscale) {
  return factor <= 1 ? 1.0 : 0.1 * mscale * std::log(factor) + 1.0;
}

// The (fractional) pair index whose wave makes `turns` turns within the original context.
double pair_index(const Config& c, double turns) {
  const double dim = static_cast<double>(c.qk_rope_head_dim);
  const double length = static_cast<double>(c.rope_scaling.original_max_position_embeddings);
  return dim * std::log(length / (turns * 2 * std::numbers::pi)) / (2 * std::log(c.rope_theta));
}

}  // namespace

RopeParameters rope_parameters(const Config& c) {
  const RopeScaling& r = c.rope_scaling;
  RopeParameters p;
  p.cos_sin_factor = 1;
  p.softmax_scale = 1 / std::sqrt(static_cast<double>(c.qk_head_dim()));
  const int64_t pairs = c.qk_rope_head_dim / 2;
  for (int64_t i = 0; i < pairs; ++i)
    p.inv_freq.push_back(
        std::pow(c.rope_theta, -2.0 * static_cast<double>(i) / static_cast<double>(c.qk_rope_head_dim)));
  if (!r.yarn) return p;

  const double low = std::max(std::floor(pair_index(c, r.beta_fast)), 0.0);
  double high = std::min(std::ceil(pair_index(c, r.beta_slow)), static_cast<double>(c.qk_rope_head_dim - 1));
  if (low == high) high += 0.001;
  for (int64_t i = 0; i < pairs; ++i) {
    const double ramp = std::clamp((static_cast<double>(i) - low) / (high - low), 0.0, 1.0);
    p.inv_freq[i] = p.inv_freq[i] * (1 - ramp) + p.inv_freq[i] / r.factor * ramp;
  }
  p.cos_sin_factor = temperature(r.factor, r.mscale) / temperature(r.factor, r.mscale_all_dim);
  if (r.mscale_all_dim != 0) {
    const double m = temperature(r.factor, r.mscale_all_dim);
    p.softmax_scale *= m * m;
  }
  return p;
}

}  // namespace fathom
