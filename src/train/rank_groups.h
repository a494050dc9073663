// The ranks of a run and the groups that its plan makes of them, each with its collectives. One process alone
// is in groups of its own.
#pragma once
#include "comm/communicator.h"
#include "comm/world.h"
#include "train/parallel_plan.h"
#include "train/recipe.h"
#include "train/weight_groups.h"

namespace fathom {

class RankGroups {
 public:
  // `world`: null for one process alone. The device must outlive it. Every rank calls it. The limits are for
  // tests.
  RankGroups(World* world, const Device& device, const ParallelPlan& plan, const CommLimits& limits = {});

  const ParallelPlan& plan() const { return plan_; }
  int rank() const { return everyone_.rank(); }
  bool alone() const { return everyone_.size() == 1; }
  // Rank 0 writes what there is one of: lines of progress, metrics, folders.
  bool writes() const { return rank() == 0; }

  // Of the micro-batches of a step.
  Share replica() const { return {replicas_.rank(), replicas_.size()}; }
  // Of the weights of the routed experts that this rank holds.
  Share expert_replica() const { return {expert_replicas_.rank(), expert_replicas_.size()}; }

  Communicator& everyone() { return everyone_; }
  // Those with the same layers.
  Communicator& replicas() { return replicas_; }
  // Of them, those with the same routed experts.
  Communicator& expert_replicas() { return expert_replicas_; }
  // Of them, those that hold all routed experts together.
  Communicator& expert_group() { return expert_group_; }

  // Those of this place in every stage, in the order of the stages.
  Communicator& pipeline() { return pipeline_; }

  // The largest of all ranks' values: how they agree on what to do next.
  double highest(double mine);

 private:
  ParallelPlan plan_;
  Communicator everyone_, replicas_, expert_replicas_, expert_group_, pipeline_;
};

// What a rank works on. Of several ranks on a host each takes its own GPU, and a part of the processors.
Device device_of_rank(const Recipe& recipe, const World* world);

// An Error naming the first key of the recipe that differs between the ranks, and both values.
void check_same_recipe(World& world, const Recipe& recipe);

}  // namespace fathom
