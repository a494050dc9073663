// What a micro-batch works in: memory of the device, laid out for its number of tokens.
#pragma once
#include "model/activations.h"
#include "model/batch.h"
#include "model/part.h"
#include "train/recipe.h"

namespace fathom {

struct MicroBatch {
  Batch batch;
  Tensor targets;  // [N] i32
  Tensor weights;  // [N] stat, of the targets
  Tensor losses;   // [N] stat
  Tensor head_losses;  // [N] stat: of the head, where an objective's losses are others
  Tensor dhidden;  // [N, C]
  Activations activations;
};

// One of a recipe's micro-batches: with document_mask there may be as many sequences as tokens.
BatchSize micro_batch_size(const Recipe& recipe, int64_t tokens, int64_t units);
// The largest one of so many windows.
BatchSize micro_batch_size(const Recipe& recipe, int64_t windows);

// What a recipe recomputes.
Recompute recompute_of(const Recipe& recipe, const Config& config);

// From an arena (which may be a planning one).
MicroBatch allocate_micro_batch(const Recipe& recipe, const Config& config, const ModelPart& part,
                                Arena& arena, const BatchSize& size);

// Bytes of a micro-batch of so many windows, and of the head's work on it.
int64_t micro_batch_bytes(const Recipe& recipe, const Config& config, const ModelPart& part, int64_t windows,
                          const Recompute& recompute);
// Of a recipe's largest one.
int64_t micro_batch_bytes(const Recipe& recipe, const Config& config, const ModelPart& part);

}  // namespace fathom
