// What a rank of a plan takes in memory: the formula of train/training_memory.h, of any plan.
#pragma once
#include <cstdint>

#include "model/part.h"
#include "model/recompute.h"
#include "model/weights.h"
#include "plan/cluster.h"
#include "train/training_memory.h"

namespace fathom {

// Bytes of a part's weights in the types that `types` says: those of the routed experts, of which a stage's
// ranks have different ones, and all others, of which they have the same.
struct PartBytes {
  int64_t routed, others;
};
PartBytes part_bytes(const Config& config, const ModelPart& part, const StorageTypes& types);

// What does not depend on the schedule. `part` is the rank's, `recipe` gives precision, sequence length and
// device; its micro-batch and recomputation do not count.
TrainingMemory lasting_memory(const Recipe& recipe, const Config& config, const ModelPart& part,
                              const Product& product);

// Of a micro-batch of so many sequences.
WorkMemory micro_batch_memory(const Recipe& recipe, const Config& config, const ModelPart& part,
                              const Product& product, int64_t micro_batch, const Recompute& recompute,
                              double expert_load = 1);

}  // namespace fathom
