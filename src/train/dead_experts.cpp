#include "train/dead_experts.h"

#include <algorithm>

namespace fathom {

std::vector<std::pair<int64_t, int64_t>> DeadExperts::add(const ExpertLoad& load) {
  std::vector<std::pair<int64_t, int64_t>> died;
  idle_.resize(load.experts.size());
  for (const int64_t layer : load.moe_layers) {
    const auto choices = load.experts_of(layer);
    for (int64_t expert = 0; expert < load.E; ++expert) {
      int32_t& idle = idle_[static_cast<size_t>(layer * load.E + expert)];
      idle = choices[static_cast<size_t>(expert)] > 0 ? 0 : std::min(idle + 1, patience + 1);
      if (idle == patience) died.emplace_back(layer, expert);
    }
  }
  return died;
}

int64_t DeadExperts::count() const {
  return std::count_if(idle_.begin(), idle_.end(), [](int32_t idle) { return idle >= patience; });
}

}  // namespace fathom
