// Which projections get adapters: a few names stand for all layers.
#pragma once
#include <string>
#include <vector>

#include "model/config.h"

namespace fathom {

struct LoraOptions {
  int64_t rank = 16;
  double alpha = 32;
  bool rslora = false;
  // "q_a_proj", "experts.down_proj": a projection's whole name or its last parts, as PEFT's target_modules;
  // "all-linear": all projections of attention, dense MLPs, shared and routed experts (routers are none).
  std::vector<std::string> targets = {"all-linear"};
};

// Whether a target stands for the projection of this name.
inline bool is_target(const std::string& target, const std::string& projection) {
  return target == "all-linear" || projection == target || projection.ends_with("." + target);
}

// Adapters of one rank on all that the options name. Error with `where` for a rank below 1, a target that
// names nothing in this model, or gate_proj of routed experts without up_proj (PEFT holds both in one
// adapter).
Lora lora_of(const Config& config, const LoraOptions& options, const std::string& where);

}  // namespace fathom
