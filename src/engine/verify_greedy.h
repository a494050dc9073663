// Compares greedy generation, through the engine and its latent cache, with somebody else's tokens.
#pragma once
#include <optional>

#include "io/safetensors.h"
#include "model/verify_model.h"

namespace fathom {

// Checks `greedy` [G], what follows `greedy_prompt` [P]; nothing when the file holds no such keys.
//
// Where a token differs, generation continues from the reference's own prefix, and the token must be
// explained by a near tie: the error is the largest distance, over the tokens that differ, of the two tokens'
// logits from the best one, in the reference's logits (`greedy_logits` [G, V], else those of `reference`) and
// in units of their root mean square. 0 when all tokens are the same.
//
// In bf16 the experts are the reference's too: `greedy_experts.I` [P+G-1, K], else those of `reference`.
std::optional<Verdict> verify_greedy(Device& device, const Model& model, const SafetensorsFile& golden,
                                     OwnReference& reference);

// How far a token's logit is below the best one of its row, in units of the row's root mean square.
double distance_from_best(const ConstTensor& logits /* [N, V] */, int64_t row, int32_t token);

}  // namespace fathom
