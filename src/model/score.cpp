#include "model/score.h"

#include "base/error.h"
#include "model/model_folder.h"
#include "ops/expert_sort.h"
#include "tensor/memory.h"

namespace fathom {

ScoredRows scored_rows(std::span<const int32_t> starts) {
  ScoredRows rows;
  if (starts.empty()) return rows;
  rows.row_of.assign(static_cast<size_t>(starts.back()), ExpertSort::nowhere);
  for (size_t b = 0; b + 1 < starts.size(); ++b) {
    check(starts[b + 1] > starts[b], "sequence {} has no token that could be scored", b);
    rows.token_of.push_back(starts[b + 1] - 1);
    rows.row_of[static_cast<size_t>(starts[b + 1] - 1)] = static_cast<int32_t>(b);
  }
  return rows;
}

void start_from_folder(const Device& device, const Config& config, Weights& weights,
                       const std::string& folder, const ModelPart& part) {
  const CheckpointReader checkpoint(folder);
  const Config stored = read_config(folder);
  if (stored.num_labels == config.num_labels || !config.has_score_head())
    return load_weights(device, config, weights, checkpoint, part);
  check(!stored.has_score_head(), "{}: its score head has {} labels, and {} are wanted", folder,
        stored.num_labels, config.num_labels);
  Config language = config;
  language.num_labels = 0;
  Weights body = weights;
  body.head = {};
  load_weights(device, language, body, checkpoint, part);
  if (part.has_head(config)) clear(device, weights.head.data);
}

}  // namespace fathom
