// The flags that say how tokens are chosen, of all commands that generate.
#pragma once
#include <CLI/App.hpp>
#include <cstdint>
#include <optional>

#include "engine/sampling.h"

namespace fathom {

struct SamplingFlags {
  std::optional<double> temperature, top_p, min_p;
  std::optional<int64_t> top_k;
  std::optional<uint64_t> seed;
  bool greedy = false;
};

void add_sampling_flags(CLI::App& command, SamplingFlags& flags);

// generation_config.json, overridden by flags. A filter given to a model that is greedy by itself means
// sampling. Without --seed the seed is random.
SamplingParameters sampling_of(const SamplingFlags& flags, SamplingParameters defaults);

}  // namespace fathom
