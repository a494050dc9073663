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

// The (fractional) index of the pair that rotates this often within the original context.
double pair_index(const Config& c, double rotations) {
  const double dim = static_cast<double>(c.qk_rope_head_dim);
  const double length = static_cast<double>(c.rope_scaling.original_max_position_embeddings);
  return dim * std::log(length / (rotations * 2 * std::numbers::pi)) / (2 * std::log(c.rope_theta));
}

// YaRN keeps the pairs up to `low`, stretches those from `high` on, and goes over linearly between them.
void stretch(const Config& c, std::vector<double>& inv_freq) {
  const RopeScaling& r = c.rope_scaling;
  double low = pair_index(c, r.beta_fast), high = pair_index(c, r.beta_slow);
  if (r.truncate) low = std::floor(low), high = std::ceil(high);
  low = std::max(low, 0.0);
  high = std::min(high, static_cast<double>(c.qk_rope_head_dim - 1));
  if (low == high) high += 0.001;
  for (size_t i = 0; i < inv_freq.size(); ++i) {
    const double ramp = std::clamp((static_cast<double>(i) - low) / (high - low), 0.0, 1.0);
    inv_freq[i] = inv_freq[i] * (1 - ramp) + inv_freq[i] / r.factor * ramp;
  }
}

double cos_sin_factor(const RopeScaling& r) {
  if (r.attention_factor) return *r.attention_factor;
  if (r.mscale == 0 || r.mscale_all_dim == 0) return temperature(r.factor, 1);
  return temperature(r.factor, r.mscale) / temperature(r.factor, r.mscale_all_dim);
}

}  // namespace

double softmax_scale(const Config& c) {
  const RopeScaling& r = c.rope_scaling;
  const double scale = 1 / std::sqrt(static_cast<double>(c.qk_head_dim()));
  // Llama's attention takes YaRN's temperature from cos and sin alone.
  if (r.type == RopeType::plain || r.mscale_all_dim == 0 || !c.is_mla()) return scale;
  const double m = temperature(r.factor, r.mscale_all_dim);
  return scale * (m * m);
}

RopeParameters rope_parameters(const Config& c) {
  const RopeScaling& r = c.rope_scaling;
  RopeParameters p;
  p.cos_sin_factor = 1;
  p.softmax_scale = softmax_scale(c);
  const int64_t pairs = c.qk_rope_head_dim / 2;
  for (int64_t i = 0; i < pairs; ++i)
    p.inv_freq.push_back(
        std::pow(c.rope_theta, -2.0 * static_cast<double>(i) / static_cast<double>(c.qk_rope_head_dim)));
  if (r.type == RopeType::plain) return p;

  if (r.type == RopeType::linear) {
    for (double& f : p.inv_freq) f /= r.factor;
  } else {
    stretch(c, p.inv_freq);
    p.cos_sin_factor = cos_sin_factor(r);
  }
  return p;
}

}  // namespace fathom
