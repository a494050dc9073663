// Holds greedy generation, through the engine and its latent cache, against somebody else's tokens.
#pragma once
#include <optional>

#include "io/safetensors.h"
#include "model/verify_model.h"

namespace fathom {

// Checks `greedy` [G], what follows `greedy_prompt` [P]; nothing when the file holds no such keys. The error
// is the share of tokens that differ. In bf16 every token is generated from the reference's own prefix, so
// that one near tie decided otherwise does not count for all that follows.
std::optional<Verdict> verify_greedy(Device& device, const Model& model, const SafetensorsFile& golden);

}  // namespace fathom
