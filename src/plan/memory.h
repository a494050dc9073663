// What a rank of a plan takes in memory, by formula: the same sums as training_memory() of train/trainer.h,
// over the rank's part of the model. Of one rank alone it is the same number.
#pragma once
#include <cstdint>
#include <vector>

#include "model/part.h"
#include "model/recompute.h"
#include "model/weights.h"
#include "plan/cluster.h"
#include "train/pipeline_schedule.h"
#include "train/recipe.h"

namespace fathom {

struct RankMemory {
  int64_t weights = 0, gradients = 0;
  int64_t optimizer = 0;    // this rank's share (ZeRO-1)
  int64_t activations = 0;  // of all micro-batches in flight, and the head's logits
  int64_t exchange = 0;     // tokens on their way to the experts' ranks and back
  int64_t total() const { return weights + gradients + optimizer + activations + exchange; }
};

// Bytes of a part's weights in the types that `types` says: those of the routed experts, of which a stage's
// ranks have different ones, and all others, of which they have the same.
struct PartBytes {
  int64_t routed, others;
};
PartBytes part_bytes(const Config& config, const ModelPart& part, const StorageTypes& types);

// What does not depend on the schedule. `part` is the rank's, `recipe` gives precision, sequence length and
// device; its micro-batch and recomputation do not count.
RankMemory lasting_memory(const Recipe& recipe, const Config& config, const ModelPart& part,
                          const Product& product);

// Of one micro-batch on one rank. In a pipeline as allocate_deferred_activations() lays it out
// (model/activations.h); without one all of it is `kept`, for there is one at a time.
struct MicroBatchMemory {
  int64_t kept = 0;      // from its forward pass until its weight gradients are there
  int64_t deferred = 0;  // more, from its input gradient on
  int64_t scratch = 0;   // within one pass, with the head's logits: shared by all
  int64_t exchange = 0;  // within one layer, for tokens on their way: each micro-batch in flight has its own

  // Of a rank with so many of them.
  int64_t total(const MicroBatchesInFlight& n) const {
    return n.kept * kept + n.deferred * deferred + scratch;
  }
};
MicroBatchMemory micro_batch_memory(const Recipe& recipe, const Config& config, const ModelPart& part,
                                    const Product& product, int64_t micro_batch, const Recompute& recompute);

}  // namespace fathom
