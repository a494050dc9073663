#include "train/training_memory.h"

#include <algorithm>

#include "train/micro_batch.h"
#include "train/optimizer.h"

namespace fathom {

WeightGroups group_weights(const Config& config, DType dtype, const ParallelPlan& plan, int rank) {
  const Share all{plan.replica_of(rank), plan.replicas()},
      routed{plan.expert_group_of(rank), plan.expert_replicas()};
  return group_weights(config, dtype, plan.part_of(rank, config), all, routed);
}

PipelineStage::Settings stage_settings(const Recipe& r, const Config& c, const ParallelPlan& plan, int rank) {
  const int64_t micro_batches = (r.batch.sequences + r.batch.micro_batch - 1) / r.batch.micro_batch;
  const Share share{plan.expert_group_of(rank) * plan.expert, plan.replicas()};
  return {.schedule = r.parallel.schedule,
          .largest = micro_batch_size(r, r.batch.micro_batch),
          .micro_batches = static_cast<int>(std::max<int64_t>(share.count(micro_batches), 1)),
          .recompute = recompute_of(r, c)};
}

TrainingMemory training_memory(const Recipe& r, const Config& c, const ParallelPlan& plan, int rank) {
  const DType dtype = r.run.precision;
  const WeightGroups groups = group_weights(c, dtype, plan, rank);
  const ModelPart part = plan.part_of(rank, c);
  const int64_t activations =
      plan.pipeline == 1
          ? micro_batch_bytes(r, c, part)
          : pipeline_stage_bytes(c, part, plan.stage_of(rank), plan.pipeline, dtype,
                                 !r.run.device.starts_with("cuda"), stage_settings(r, c, plan, rank));
  return {.weights = group_bytes(groups),
          .gradients = gradient_group_bytes(groups),
          .optimizer = Optimizer::bytes(c, dtype, part, groups.owned()),
          .activations = activations};
}

}  // namespace fathom
