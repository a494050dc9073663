// Which part of a model this process holds: some of its layers and, of each MoE layer, some of its routed
// experts. The first layer brings the embedding along, the last one the final norm and the head.
#pragma once
#include <algorithm>
#include <cstdint>
#include <limits>

#include "model/config.h"

namespace fathom {

// By default all of it.
struct ModelPart {
  static constexpr int64_t to_the_end = std::numeric_limits<int64_t>::max();

  int64_t first_layer = 0, layers_end = to_the_end;    // layers first_layer .. layers_end - 1
  int64_t first_expert = 0, experts_end = to_the_end;  // routed experts of each MoE layer, likewise

  int64_t end_layer(const Config& c) const { return std::min(layers_end, c.num_hidden_layers); }
  int64_t layers(const Config& c) const { return end_layer(c) - first_layer; }
  bool has_layer(int64_t i) const { return first_layer <= i && i < layers_end; }
  bool has_embedding() const { return first_layer == 0; }
  bool has_head(const Config& c) const { return layers_end >= c.num_hidden_layers; }
  int64_t experts(const Config& c) const { return std::min(experts_end, c.n_routed_experts) - first_expert; }
  // The ranks that hold all experts, where each holds as many as this one.
  int64_t expert_ranks(const Config& c) const { return experts(c) > 0 ? c.n_routed_experts / experts(c) : 1; }
};

}  // namespace fathom
