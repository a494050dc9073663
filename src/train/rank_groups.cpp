#include "train/rank_groups.h"

#include "base/error.h"

namespace fathom {
namespace {

Communicator all_ranks(World* world, const Device& device, const CommLimits& limits) {
  return world ? world->communicator(device, limits) : Communicator::alone(device);
}

}  // namespace

RankGroups::RankGroups(World* world, const Device& device, const ParallelPlan& plan, const CommLimits& limits)
    : plan_(plan),
      everyone_(all_ranks(world, device, limits)),
      replicas_(everyone_.split(plan.stage_of(rank()))),
      expert_replicas_(replicas_.split(plan.expert_place_of(rank()))),
      expert_group_(replicas_.split(plan.expert_group_of(rank()))),
      pipeline_(everyone_.split(plan.replica_of(rank()))) {
  assert(plan.ranks == everyone_.size());
}

double RankGroups::highest(double mine) {
  everyone_.host().run(AllReduce{.x = Tensor(&mine, DType::f64, {1}), .reduction = Reduction::max});
  return mine;
}

Device device_of_rank(const Recipe& recipe, const World* world) {
  const Recipe::Run& run = recipe.run;
  if (!world || world->size() == 1) return Device::named(run.device, static_cast<int>(run.threads));
  check(!run.device.starts_with("cuda:"),
        "run.device = {}: of several ranks each takes the GPU of its place on its host; give cuda",
        run.device);
  const int threads = run.threads > 0 ? static_cast<int>(run.threads) : world->threads_of_rank();
  return Device::named(run.device == "cuda" ? fmt::format("cuda:{}", world->rank_on_host()) : run.device,
                       threads);
}

void check_same_recipe(World& world, const Recipe& recipe) {
  const OrderedJson keys = recipe_to_json(recipe);
  for (const auto& [key, value] : keys.items()) world.check_same(key, value.dump());
  world.check_same("the recipe's [model]", recipe.model.fields.dump());
}

}  // namespace fathom
