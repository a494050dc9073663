#include "model/extension.h"

#include "base/error.h"
#include "model/yarn.h"

namespace fathom {
namespace {

constexpr double paper_mscale = 0.707;

int64_t original_length(const Config& c, int64_t from, const std::string& where) {
  const RopeScaling& r = c.rope_scaling;
  check(
      r.type != RopeType::linear,
      "{}: its rotary frequencies are scaled linearly, by {}: only a model without scaling or with YaRN can "
      "be extended",
      where, r.factor);
  if (r.type == RopeType::plain) return from > 0 ? from : c.max_position_embeddings;
  check(from == 0 || from == r.original_max_position_embeddings,
        "{}: it was extended from {} tokens before, not from {}", where, r.original_max_position_embeddings,
        from);
  return r.original_max_position_embeddings;
}

}  // namespace

Config extended(const Config& config, int64_t to, int64_t from, const std::string& where) {
  const int64_t original = original_length(config, from, where);
  const bool again = config.rope_scaling.type == RopeType::yarn;
  const int64_t reached = again ? config.max_position_embeddings : original;
  check(to >= reached, "{}: it reaches {} tokens already and cannot be extended to {}", where, reached, to);

  Config c = config;
  c.max_position_embeddings = to;
  if (to == reached) return c;
  RopeScaling& r = c.rope_scaling;
  if (!again) {
    r.type = RopeType::yarn;
    r.beta_fast = 32, r.beta_slow = 1;
    if (c.is_mla()) r.mscale = r.mscale_all_dim = paper_mscale;  // else YaRN's own, 0.1 ln(s) + 1
  }
  r.attention_factor.reset();  // was for the factor before
  r.original_max_position_embeddings = original;
  r.factor = static_cast<double>(to) / static_cast<double>(original);

  Config plain = c;
  plain.rope_scaling = {};
  check(rope_parameters(c).inv_freq != rope_parameters(plain).inv_freq,
        "{}: cannot be extended to {} tokens: with {} {} and rope_theta {} every rotary pair "
        "turns "
        "more than {} times in {} tokens, and YaRN stretches none",
        where, to, c.is_mla() ? "qk_rope_head_dim" : "head_dim", c.qk_rope_head_dim, c.rope_theta,
        r.beta_fast, original);
  check_config(c, where);
  return c;
}

}  // namespace fathom
