#include "plan/memory.h"

#include <algorithm>
#include <cmath>

#include "model/activations.h"
#include "model/head.h"
#include "ops/dispatch.h"
#include "plan/work.h"
#include "train/optimizer.h"
#include "train/weight_groups.h"

namespace fathom {
namespace {

bool on_host(const Recipe& r) {
  return !r.run.device.starts_with("cuda");
}

BatchSize batch_size(const Recipe& r, int64_t micro_batch) {
  const int64_t N = micro_batch * r.data.sequence_length;
  return {.tokens = N, .sequences = r.data.document_mask ? N : micro_batch, .keys = N, .units = micro_batch};
}

// What a micro-batch has besides: its integers, and on the last stage targets, losses and their gradient.
void allocate_inputs(const Recipe& r, const Config& c, const ModelPart& part, int64_t micro_batch,
                     Arena& plan) {
  const DType dtype = r.run.precision;
  const BatchSize size = batch_size(r, micro_batch);
  allocate_batch(plan, size);
  if (!part.has_head(c)) return;
  plan.allocate(DType::i32, {size.tokens});
  plan.allocate(stat_of(dtype), {size.tokens});
  plan.allocate(dtype, {size.tokens, c.hidden_size});
}

// What tokens that arrive at experts on several ranks take, as model/moe_exchange.cpp lays it out, where
// every rank gets as many: T of them, with M choices of its experts.
struct Arrivals {
  int64_t kept = 0, deferred = 0, scratch = 0;  // of a layer
};
Arrivals arrivals(const Config& c, DType dtype, int64_t N, int64_t expert_ranks, const Recompute& recompute) {
  const int64_t K = c.num_experts_per_tok, C = c.hidden_size, F = c.moe_intermediate_size, M = N * K,
                any = size_of(dtype), stat = size_of(stat_of(dtype)), id = size_of(DType::i32);
  const auto T = static_cast<int64_t>(std::ceil(static_cast<double>(N) * ranks_per_token(c, expert_ranks)));
  const int64_t x = M * C * any, act = M * F * any, row = T * C * any, weights = T * K * stat,
                ids = T * K * id;
  Arrivals a;
  a.kept = weights + 2 * ids + 2 * act + x;  // both results of the experts' products
  (recompute.dispatch ? a.deferred : a.kept) += x;
  (recompute.swiglu ? a.deferred : a.kept) += act;
  if (recompute.dispatch) a.kept += row;
  const int64_t forward = row + a.deferred + row + weights + 2 * ids,
                backward = a.deferred + 2 * row + 2 * weights + act + x;
  a.scratch = std::max(forward, backward);
  // Of layers recomputed whole one at a time is there.
  if (recompute.layers > 0) a = {.kept = 0, .deferred = 0, .scratch = a.kept + a.scratch};
  return a;
}

int64_t moe_layers(const Config& c, const ModelPart& part) {
  int64_t n = 0;
  for (int64_t i = part.first_layer; i < part.end_layer(c); ++i) n += c.is_moe_layer(i);
  return n;
}

}  // namespace

PartBytes part_bytes(const Config& c, const ModelPart& part, const StorageTypes& types) {
  const auto of = [&](bool routed) {
    return weight_bytes(
        c, [&](const WeightInfo& info) { return is_routed(info) == routed ? types(info) : std::nullopt; },
        part);
  };
  return {of(true), of(false)};
}

RankMemory lasting_memory(const Recipe& r, const Config& c, const ModelPart& part, const Product& product) {
  const DType dtype = r.run.precision;
  const WeightGroups groups =
      group_weights(c, dtype, part, {.ranks = static_cast<int>(product.stage_ranks())},
                    {.ranks = static_cast<int>(product.data)});
  return {.weights = group_bytes(groups),
          .gradients = gradient_group_bytes(groups),
          .optimizer = Optimizer::bytes(c, dtype, part, groups.owned())};
}

MicroBatchMemory micro_batch_memory(const Recipe& r, const Config& c, const ModelPart& part,
                                    const Product& product, int64_t micro_batch, const Recompute& recompute) {
  const DType dtype = r.run.precision;
  const BatchSize size = batch_size(r, micro_batch);
  MicroBatchMemory m;
  Arena plan;
  allocate_inputs(r, c, part, micro_batch, plan);
  if (product.pipeline == 1) {
    allocate_activations(c, plan, dtype, Purpose::training, size, recompute, part);
    m.kept = plan.used();
  } else {
    const DeferredActivationBytes bytes = deferred_activation_bytes(c, dtype, size, recompute, part);
    m = {.kept = plan.used() + bytes.kept, .deferred = bytes.deferred, .scratch = bytes.scratch};
  }
  if (part.has_head(c)) m.scratch += head_bytes(c, dtype, size.tokens, on_host(r));
  if (const int64_t layers = moe_layers(c, part); product.expert > 1 && layers > 0) {
    const Arrivals a = arrivals(c, dtype, size.tokens, product.expert, recompute);
    m.kept += layers * a.kept, m.deferred += layers * a.deferred, m.exchange = a.scratch;
  }
  return m;
}

}  // namespace fathom
