// generation_config.json of a model folder: how its makers want it sampled, and what ends an answer.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "engine/sampling.h"
#include "io/json.h"
#include "model/config.h"

namespace fathom {

struct GenerationConfig {
  SamplingParameters sampling;  // temperature 0 unless do_sample is true
  std::vector<int64_t> eos_token_ids;
};

// Without the file, or where it is silent: Hugging Face's defaults (greedy; top_k 50 when it samples), and
// the eos_token_ids of config.json. Settings that fathom does not have are named in one warning.
GenerationConfig read_generation_config(const std::string& dir, const Config& config);
// `where` stands in the errors.
GenerationConfig generation_config_from_json(const Json& json, const std::string& where,
                                             const Config& config);

}  // namespace fathom
