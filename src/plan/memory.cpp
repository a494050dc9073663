#include "plan/memory.h"

#include "plan/work.h"

namespace fathom {

PartBytes part_bytes(const Config& c, const ModelPart& part, const StorageTypes& types) {
  const auto of = [&](bool routed) {
    return weight_bytes(
        c, [&](const WeightInfo& info) { return is_routed(info) == routed ? types(info) : std::nullopt; },
        part);
  };
  return {of(true), of(false)};
}

TrainingMemory lasting_memory(const Recipe& r, const Config& c, const ModelPart& part,
                              const Product& product) {
  return lasting_memory(c, r.run.precision, part, {.ranks = static_cast<int>(product.stage_ranks())},
                        {.ranks = static_cast<int>(product.data)});
}

WorkMemory micro_batch_memory(const Recipe& r, const Config& c, const ModelPart& part, const Product& product,
                              int64_t micro_batch, const Recompute& recompute, double expert_load) {
  return work_memory(r, c, part,
                     {.windows = micro_batch,
                      .recompute = recompute,
                      .stages = product.pipeline,
                      .expert_ranks = product.expert,
                      .expert_load = expert_load});
}

}  // namespace fathom
