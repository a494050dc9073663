// generation_config.json of a model folder: how its makers want it sampled, and what ends an answer.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "engine/sampling.h"
#include "model/config.h"

namespace fathom {

struct GenerationConfig {
  SamplingParameters sampling;  // temperature 0 unless do_sample is true
  std::vector<int64_t> eos_token_ids;
};

// Without the file, or where it is silent: Hugging Face's defaults (greedy), and the eos_token_ids of
// config.json.
GenerationConfig read_generation_config(const std::string& dir, const Config& config);

}  // namespace fathom
