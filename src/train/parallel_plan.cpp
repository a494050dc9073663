#include "train/parallel_plan.h"

#include <algorithm>
#include <limits>

#include "base/error.h"
#include "model/weights.h"

namespace fathom {
namespace {

// What a token costs in each layer: the parameters that it is multiplied with. The head counts with the last
// layer; the embedding is looked up.
std::vector<double> layer_costs(const Config& c) {
  std::vector<double> costs(static_cast<size_t>(c.num_hidden_layers));
  for (const NamedWeight& w : list_weights(c, {}, {})) {
    double parameters = 1;
    for (int64_t d : w.info.shape) parameters *= static_cast<double>(d);
    if (w.info.shape.size() == 3)
      parameters *= static_cast<double>(c.num_experts_per_tok) / static_cast<double>(c.n_routed_experts);
    if (w.info.layer >= 0)
      costs[static_cast<size_t>(w.info.layer)] += parameters;
    else if (w.info.name != "model.embed_tokens.weight" || c.ties_head())
      costs.back() += parameters;
  }
  return costs;
}

// stages[s] .. stages[s+1]-1 for every s, with the least maximum of the stages' costs; of equal cuts the one
// whose first stages are the longest.
std::vector<int64_t> cut(const std::vector<double>& costs, int stages) {
  const auto L = static_cast<int64_t>(costs.size());
  // worst[s][i]: of the layers i .. L-1 in s stages; next[s][i]: where the second of them begins.
  std::vector<std::vector<double>> worst(stages + 1, std::vector<double>(L + 1, 0));
  std::vector<std::vector<int64_t>> next(stages + 1, std::vector<int64_t>(L + 1, L));
  for (int s = 1; s <= stages; ++s)
    for (int64_t i = L - s; i >= 0; --i) {
      worst[s][i] = std::numeric_limits<double>::infinity();
      double first = 0;
      for (int64_t j = i + 1; j <= L - (s - 1); ++j) {
        first += costs[static_cast<size_t>(j - 1)];
        if (s == 1 && j < L) continue;
        const double both = std::max(first, worst[s - 1][j]);
        if (both <= worst[s][i]) worst[s][i] = both, next[s][i] = j;
      }
    }
  std::vector<int64_t> begins = {0};
  for (int s = stages; s > 0; --s) begins.push_back(next[s][begins.back()]);
  return begins;
}

// That they are a multiple of what the plan takes, or what to do.
void check_ranks(int64_t ranks, int64_t pipeline, int64_t expert) {
  const int64_t least = pipeline * expert;
  if (ranks % least == 0) return;
  const std::string plan = fmt::format("parallel.pipeline = {} and parallel.expert = {}", pipeline, expert);
  check(
      ranks > 1,
      "{} need {} ranks, or a multiple, and this is one process: start it with mpirun -n {}, or let it work "
      "alone with --parallel.pipeline 1 --parallel.expert 1",
      plan, least, least);
  fail("{} need a multiple of {} ranks, and there are {}: start as many, or change the two", plan, least,
       ranks);
}

}  // namespace

ModelPart ParallelPlan::part_of(int rank, const Config& c) const {
  ModelPart part;
  if (pipeline > 1) {
    const auto stage = static_cast<size_t>(stage_of(rank));
    part.first_layer = stages[stage], part.layers_end = stages[stage + 1];
  }
  if (expert > 1) {
    const int64_t each = c.n_routed_experts / expert;
    part.first_expert = expert_place_of(rank) * each, part.experts_end = part.first_expert + each;
  }
  return part;
}

ParallelPlan parallel_plan(const Config& c, int ranks, int64_t pipeline, int64_t expert) {
  const int64_t L = c.num_hidden_layers, E = c.n_routed_experts;
  check_ranks(ranks, pipeline, expert);
  check(pipeline <= L, "parallel.pipeline = {}: the model has only {} layers", pipeline, L);
  check(pipeline == 1 || !c.ties_head(),
        "parallel.pipeline = {}: tie_word_embeddings is true, and one stage cannot hold both ends", pipeline);
  check(expert == 1 || c.n_moe_layers() > 0, "parallel.expert = {}: the model has no MoE layers", expert);
  check(expert == 1 || E % expert == 0, "parallel.expert = {} does not divide n_routed_experts = {}", expert,
        E);
  ParallelPlan plan = {.ranks = ranks,
                       .pipeline = static_cast<int>(pipeline),
                       .expert = static_cast<int>(expert),
                       .stages = cut(layer_costs(c), static_cast<int>(pipeline))};
  return plan;
}

}  // namespace fathom
