// Scores of texts, by a model with a score head (Config::num_labels): what the head says of each sequence's
// last token. Which one that is, lengths tell, never ids: padding and the token that ends a text may be the
// same.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "model/model.h"

namespace fathom {

// Which rows of a batch of packed sequences are scored. permute (ops/permute.h) with token_of gathers their
// hidden states for the head, permute_backward with row_of spreads the gradients of those.
struct ScoredRows {
  std::vector<int32_t> token_of;  // [B]  each sequence's last token
  std::vector<int32_t> row_of;    // [N, 1]  the sequence whose last token it is, or ExpertSort::nowhere
};
// Of sequences starts[b] .. starts[b+1] - 1. Error for one without tokens.
ScoredRows scored_rows(std::span<const int32_t> starts);

// Where weights come from when training starts: a model folder of the same config; or for a config with a
// score head the folder of a language model, all of whose weights but the head are taken. The score head then
// starts at zero: every text scores 0, so that the first loss of a pair is ln 2 and no seed plays a part.
// With the normal numbers that transformers draws, scores of a wide model would begin with differences that
// no preference asked for: their standard deviation is initializer_range * sqrt(C), 1.4 for DeepSeek-V2.
void start_from_folder(const Device& device, const Config& config, Weights& weights,
                       const std::string& folder, const ModelPart& part = {});

}  // namespace fathom
