#include "train/training_memory.h"

#include <algorithm>

#include "train/exchange_memory.h"
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

TrainingMemory lasting_memory(const Config& c, DType dtype, const ModelPart& part, const Share& all,
                              const Share& routed) {
  const WeightGroups groups = group_weights(c, dtype, part, all, routed);
  return {.weights = group_bytes(groups),
          .gradients = gradient_group_bytes(groups),
          .optimizer = Optimizer::bytes(c, dtype, part, groups.owned())};
}

void WorkMemory::add_to(TrainingMemory& m, const MicroBatchesInFlight& n) const {
  m.activations = activations.total(n);
  m.exchange = n.kept * exchange;
}

WorkMemory work_memory(const Recipe& r, const Config& c, const ModelPart& part, const MicroBatchWork& s) {
  const DType dtype = r.run.precision;
  const BatchSize largest = micro_batch_size(r, s.windows);
  WorkMemory m;
  if (s.stages == 1)
    m.activations.once = micro_batch_bytes(r, c, part, s.windows, s.recompute);
  else
    m.activations = stage_bytes(c, {.dtype = dtype,
                                    .largest = largest,
                                    .recompute = s.recompute,
                                    .part = part,
                                    .on_host = !r.run.device.starts_with("cuda")});
  m.exchange = exchange_bytes(c, part, dtype,
                              {.tokens = largest.tokens,
                               .expert_ranks = s.expert_ranks,
                               .recompute = s.recompute,
                               .deferred = s.stages > 1,
                               .expert_load = s.expert_load});
  return m;
}

TrainingMemory training_memory(const Recipe& r, const Config& c, const ParallelPlan& plan, int rank,
                               double expert_load) {
  const ModelPart part = plan.part_of(rank, c);
  TrainingMemory m = lasting_memory(c, r.run.precision, part, {plan.replica_of(rank), plan.replicas()},
                                    {plan.expert_group_of(rank), plan.expert_replicas()});
  const WorkMemory work = work_memory(r, c, part,
                                      {.windows = r.batch.micro_batch,
                                       .recompute = recompute_of(r, c),
                                       .stages = plan.pipeline,
                                       .expert_ranks = plan.expert,
                                       .expert_load = expert_load});
  MicroBatchesInFlight in_flight{.kept = 1};
  if (plan.pipeline > 1)
    in_flight = micro_batches_in_flight(plan.stage_of(rank), plan.pipeline, stage_settings(r, c, plan, rank));
  work.add_to(m, in_flight);
  return m;
}

}  // namespace fathom
