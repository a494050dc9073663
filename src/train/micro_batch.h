// What a micro-batch works in: memory of the device, laid out for its number of windows.
#pragma once
#include "model/activations.h"
#include "model/batch.h"
#include "model/part.h"
#include "train/recipe.h"

namespace fathom {

struct MicroBatch {
  Batch batch;
  Tensor targets;  // [N] i32
  Tensor losses;   // [N] stat
  Tensor dhidden;  // [N, C]
  Activations activations;
};

// From an arena (which may be a planning one).
MicroBatch allocate_micro_batch(const Recipe& recipe, const Config& config, const ModelPart& part,
                                Arena& arena, int64_t windows);

// Bytes of a recipe's largest micro-batch, and of the head's work on it.
int64_t micro_batch_bytes(const Recipe& recipe, const Config& config, const ModelPart& part);

}  // namespace fathom
