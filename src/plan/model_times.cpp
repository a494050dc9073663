#include "plan/model_times.h"

#include <algorithm>
#include <utility>

#include "plan/work.h"
#include "train/expert_spread.h"

namespace fathom {
namespace {

WorkSize work_size(const PlanTask& t, const PlanChoice& choice) {
  return {.dtype = t.recipe.run.precision,
          .tokens = choice.micro_batch * t.recipe.data.sequence_length,
          .sequences = choice.micro_batch,
          .expert_ranks = choice.product.expert,
          .accumulate = micro_batches_of(choice, t.recipe.batch.sequences) > 1,
          .dropping = t.recipe.model.capacity_factor > 0};
}

PassTimes seconds_of(const Rates& rates, const PassWork& work) {
  return {.forward = rates.seconds(work.forward),
          .input_gradient = rates.seconds(work.input_gradient),
          .weight_gradient = rates.seconds(work.weight_gradient)};
}

bool whole_layers(const Recompute& recompute) {
  return recompute.layers > 0;
}

// A token goes once to each rank that has experts of its choice, and one row comes back: the sum of what they
// gave. The backward pass sends a gradient in place of each.
PassTimes exchange_seconds(const PlanTask& t, const PlanChoice& choice) {
  const int64_t ranks = choice.product.expert;
  if (ranks == 1) return {0, 0, 0};
  const double others =
      ranks_per_token(t.config, ranks) * static_cast<double>(ranks - 1) / static_cast<double>(ranks);
  const double tokens = static_cast<double>(choice.micro_batch * t.recipe.data.sequence_length);
  const double row = static_cast<double>(t.config.hidden_size * size_of(t.recipe.run.precision));
  const double one_way =
      all_to_all_seconds(t.cluster, expert_group(t.cluster, choice.product), tokens * others * row);
  return {2 * one_way, 2 * one_way, 0};
}

// What the shared experts, which are computed while tokens travel, do not hide.
PassTimes exposed_seconds(const PassTimes& exchange, const PassTimes& shared) {
  return {std::max(0.0, exchange.forward - shared.forward),
          std::max(0.0, exchange.input_gradient - shared.input_gradient), 0};
}

}  // namespace

PassTimes operator+(const PassTimes& a, const PassTimes& b) {
  return {a.forward + b.forward, a.input_gradient + b.input_gradient, a.weight_gradient + b.weight_gradient};
}

double total(const PassTimes& t) {
  return t.forward + t.input_gradient + t.weight_gradient;
}

double recomputed_seconds(const PlanTask& t, const PlanChoice& choice, bool is_moe) {
  const LayerWork work = layer_work(t.config, work_size(t, choice), is_moe);
  if (!whole_layers(choice.recompute)) return t.rates.seconds(recomputed_work(work, choice.recompute));
  const PassTimes shared = seconds_of(t.rates, work.mlp);
  const PassTimes exposed =
      is_moe ? exposed_seconds(exchange_seconds(t, choice), shared) : PassTimes{0, 0, 0};
  return t.rates.seconds(work.attention.forward) + shared.forward + t.rates.seconds(work.routed.forward) +
         exposed.forward;
}

PassTimes stage_times(const Config& c, const ModelTimes& times, const ModelPart& part) {
  PassTimes sum = times.stage;
  for (int64_t i = part.first_layer; i < part.end_layer(c); ++i)
    sum = sum + (c.is_moe_layer(i) ? times.moe : times.dense);
  if (part.has_embedding()) sum = sum + times.embedding;
  if (part.has_head(c)) sum = sum + times.head;
  return sum;
}

ModelTimes model_times(const PlanTask& t, const PlanChoice& choice) {
  const Config& c = t.config;
  const WorkSize size = work_size(t, choice);
  const bool on_host = !t.recipe.run.device.starts_with("cuda");
  ModelTimes times;
  times.exchange = exchange_seconds(t, choice);
  for (const bool is_moe : {false, true}) {
    if (is_moe && c.n_moe_layers() == 0) break;
    const LayerWork work = layer_work(c, size, is_moe);
    const PassTimes mlp = seconds_of(t.rates, work.mlp);
    PassTimes& layer = is_moe ? times.moe : times.dense;
    layer = seconds_of(t.rates, work.attention) + mlp + seconds_of(t.rates, work.routed);
    layer.input_gradient += recomputed_seconds(t, choice, is_moe);
    // Of a layer recomputed whole the weight gradients are made in the input pass (model/recompute.h).
    if (whole_layers(choice.recompute)) layer.input_gradient += std::exchange(layer.weight_gradient, 0);
    if (is_moe) {
      times.exposed = exposed_seconds(times.exchange, mlp);
      layer = layer + times.exposed;
    }
  }
  times.embedding = seconds_of(t.rates, embedding_work(c, size));
  times.head = seconds_of(t.rates, head_work(c, size, on_host));
  times.stage = seconds_of(t.rates, stage_work(c, size));
  return times;
}

}  // namespace fathom
