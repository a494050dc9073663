// What the passes of an optimizer step work on: batches with what each of their tokens is followed by.
#pragma once
#include <cstdint>
#include <vector>

#include "model/batch.h"
#include "model/expert_replay.h"

namespace fathom {

// A batch and what each of its tokens is followed by.
struct PackedBatch {
  HostBatch batch;
  std::vector<int32_t> targets;     // [N], CrossEntropy::ignore where a token has none
  std::vector<float> weights = {};  // [N], of the targets' losses; empty: all count alike
  std::vector<int64_t> rows = {};   // [B], which row of its data each sequence is; empty: it is of a stream
  HostReplay replay = {};           // experts to be taken; none: those that the router chooses
  int64_t counted = 0;              // targets that are not ignored
  double weight = 0;                // what it counts for in the step's mean loss: the sum of its targets' weights
};

// An optimizer step: of all its micro-batches, in order, those that this replica works on.
struct PackedStep {
  std::vector<PackedBatch> batches;
  // Of all replicas:
  int64_t micro_batches = 0, tokens = 0;
  int64_t targets = 0;  // that are not ignored
  double weight = 0;    // of them
};

}  // namespace fathom
