#include "train/training_memory.h"

#include "train/micro_batch.h"
#include "train/optimizer.h"

namespace fathom {

WeightGroups group_weights(const Config& config, DType dtype, const ParallelPlan& plan, int rank) {
  const Share all{plan.replica_of(rank), plan.replicas()},
      routed{plan.expert_group_of(rank), plan.expert_replicas()};
  return group_weights(config, dtype, plan.part_of(rank, config), all, routed);
}

TrainingMemory training_memory(const Recipe& r, const Config& c, const ParallelPlan& plan, int rank) {
  const DType dtype = r.run.precision;
  const WeightGroups groups = group_weights(c, dtype, plan, rank);
  const ModelPart part = plan.part_of(rank, c);
  return {.weights = group_bytes(groups),
          .gradients = gradient_group_bytes(groups),
          .optimizer = Optimizer::bytes(c, dtype, part, groups.owned()),
          .activations = micro_batch_bytes(r, c, part)};
}

}  // namespace fathom
