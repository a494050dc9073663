// Which rank does what: the ranks of a run as pipeline stages, and in each stage as replicas that share the
// experts among them (paper section 3.1.3). A plan is data, a function of the recipe, the model and the
// number of ranks; one rank alone is the plan that does everything.
//
// Rank = stage * replicas() + replica. The replicas of a stage hold the same layers and work on micro-batches
// of their own. Each `expert` neighbours of them are an expert group: together they hold every routed expert
// of their layers once, and send their tokens to one another. Everything but the routed experts is the same
// on all replicas; the routed experts of a rank are the same on the rank of that place in every group.
#pragma once
#include <cstdint>
#include <vector>

#include "model/config.h"
#include "model/part.h"

namespace fathom {

struct ParallelPlan {
  int ranks = 1;
  int pipeline = 1;             // P, stages
  int expert = 1;               // E, ranks of an expert group
  std::vector<int64_t> stages;  // [P+1], stage s holds the layers stages[s] .. stages[s+1]-1

  int replicas() const { return ranks / pipeline; }            // D, of a stage
  int expert_replicas() const { return replicas() / expert; }  // of a routed expert
  int stage_of(int rank) const { return rank / replicas(); }
  int replica_of(int rank) const { return rank % replicas(); }
  // Place in the expert group, and which group of the stage it is.
  int expert_place_of(int rank) const { return replica_of(rank) % expert; }
  int expert_group_of(int rank) const { return replica_of(rank) / expert; }

  ModelPart part_of(int rank, const Config& config) const;
};

// Cuts the layers so that the slowest stage has as little to do as can be. Error naming what does not divide,
// or that there are more stages than layers.
ParallelPlan parallel_plan(const Config& config, int ranks, int64_t pipeline, int64_t expert);

}  // namespace fathom
