#include "plan/memory.h"

#include <algorithm>
#include <array>
#include <set>

#include "model/activations.h"
#include "model/head.h"
#include "ops/dispatch.h"
#include "plan/work.h"

namespace fathom {
namespace {

bool on_host(const Recipe& r) {
  return !r.run.device.starts_with("cuda");
}

BatchSize batch_size(const Recipe& r, int64_t micro_batch) {
  const int64_t N = micro_batch * r.data.sequence_length;
  return {.tokens = N, .sequences = r.data.document_mask ? N : micro_batch, .keys = N, .units = micro_batch};
}

// As the trainer lays it out: what a micro-batch works in. Targets, losses and their gradient are the last
// stage's.
int64_t set_bytes(const Recipe& r, const Config& c, const ModelPart& part, int64_t micro_batch,
                  const Recompute& recompute) {
  const DType dtype = r.run.precision;
  const BatchSize size = batch_size(r, micro_batch);
  const int64_t N = size.tokens;
  Arena plan;
  allocate_batch(plan, size);
  if (part.has_head(c)) {
    plan.allocate(DType::i32, {N});
    plan.allocate(stat_of(dtype), {N});
    plan.allocate(dtype, {N, c.hidden_size});
  }
  allocate_activations(c, plan, dtype, Purpose::training, size, recompute, part);
  return plan.used();
}

// What one more layer of a kind adds to that: what its backward pass finds there.
int64_t layer_bytes(const Recipe& r, const Config& c, bool is_moe, int64_t micro_batch,
                    const Recompute& recompute) {
  Config alike = c;
  alike.num_hidden_layers = 4, alike.first_k_dense_replace = is_moe ? 0 : 4, alike.moe_layer_freq = 1;
  const auto of = [&](int64_t layers) {
    return activation_bytes(alike, r.run.precision, Purpose::training, batch_size(r, micro_batch), recompute,
                            {.first_layer = 1, .layers_end = 1 + layers});
  };
  return of(2) - of(1);
}

int64_t kept_bytes(const Recipe& r, const Config& c, const ModelPart& part, int64_t micro_batch,
                   const Recompute& recompute) {
  Arena plan;
  allocate_batch(plan, batch_size(r, micro_batch));
  plan.allocate(r.run.precision, {micro_batch * r.data.sequence_length, c.hidden_size});  // the first stream
  int64_t bytes = plan.used();
  std::array<int64_t, 2> layers{};  // dense, with experts
  for (int64_t i = part.first_layer; i < part.end_layer(c); ++i) ++layers[c.is_moe_layer(i)];
  for (const bool is_moe : {false, true})
    if (layers[is_moe] > 0) bytes += layers[is_moe] * layer_bytes(r, c, is_moe, micro_batch, recompute);
  return bytes;
}

// Gradients that the weight gradients of all layers are made of and that no activation's memory holds: those
// of every projection's result in attention, of both residual branches, and of the routed experts' inputs,
// which their gradient overwrites.
int64_t gradient_bytes(const Config& c, const ModelPart& part, DType dtype, int64_t N) {
  const int64_t H = c.num_attention_heads,
                attention = H * c.qk_head_dim() + H * (c.qk_nope_head_dim + c.v_head_dim) + c.cache_width() +
                            c.q_lora_rank,
                branches = 2 * c.hidden_size;
  int64_t bytes = part.layers(c) * N * (attention + branches) * size_of(dtype);
  for (int64_t i = part.first_layer; i < part.end_layer(c); ++i)
    if (c.is_moe_layer(i))
      bytes += N * (c.num_experts_per_tok * c.hidden_size * size_of(dtype) +
                    c.n_routed_experts * size_of(stat_of(dtype)));
  return bytes;
}

bool has_experts(const Config& c, const ModelPart& part) {
  for (int64_t i = part.first_layer; i < part.end_layer(c); ++i)
    if (c.is_moe_layer(i)) return true;
  return false;
}

// Room for as many rows as all tokens can have copies, sent and received; one layer uses it at a time.
int64_t exchange_bytes(const Config& c, const ModelPart& part, DType dtype, int64_t N, int64_t expert_ranks) {
  if (expert_ranks == 1 || !has_experts(c, part)) return 0;
  return 2 * N * most_ranks_per_token(c, expert_ranks) * c.hidden_size * size_of(dtype);
}

int64_t share_of(int64_t bytes, int64_t ranks) {
  return (bytes + ranks - 1) / ranks;
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
  const DType dtype = r.run.precision, stat = stat_of(dtype);
  const StorageTypes moments = [=](const WeightInfo&) { return stat; };
  // Weights that are stored in the moments' type have no master copy (train/optimizer.cpp).
  const StorageTypes masters = [=](const WeightInfo& info) -> std::optional<DType> {
    if (storage_type(info, dtype) == stat) return std::nullopt;
    return stat;
  };
  const auto share = [&](const StorageTypes& types) {
    const PartBytes bytes = part_bytes(c, part, types);
    return share_of(bytes.routed, product.data) + share_of(bytes.others, product.stage_ranks());
  };
  return {.weights = weight_bytes(c, dtype, part),
          .gradients = weight_bytes(c, moments, part),
          .optimizer = 2 * share(moments) + share(masters)};
}

MicroBatchMemory micro_batch_memory(const Recipe& r, const Config& c, const ModelPart& part,
                                    const Product& product, int64_t micro_batch, const Recompute& recompute) {
  const DType dtype = r.run.precision;
  const int64_t N = micro_batch * r.data.sequence_length,
                kept = kept_bytes(r, c, part, micro_batch, recompute),
                head = part.has_head(c) ? head_bytes(c, dtype, N, on_host(r)) : 0;
  return {.kept = kept,
          .deferred = kept_bytes(r, c, part, micro_batch, {}) - kept + gradient_bytes(c, part, dtype, N),
          .scratch = set_bytes(r, c, part, micro_batch, recompute) - kept + head,
          .exchange = exchange_bytes(c, part, dtype, N, product.expert)};
}

int InFlight::most() const {
  return *std::max_element(most_by_deferred.begin(), most_by_deferred.end());
}

int64_t InFlight::bytes(const MicroBatchMemory& one) const {
  int64_t most = 0;
  for (size_t d = 0; d < most_by_deferred.size(); ++d)
    most = std::max(most, most_by_deferred[d] * one.kept + static_cast<int64_t>(d) * one.deferred);
  return most + one.scratch;
}

InFlight in_flight(const std::vector<PipelineTask>& stage) {
  InFlight result;
  int now = 0;
  std::set<int> deferred;
  for (size_t i = 0; i < stage.size(); ++i) {
    const auto& [pass, m] = stage[i];
    if (pass == PipelinePass::forward) ++now;
    if (pass == PipelinePass::weight_gradient) --now, deferred.erase(m);
    const PipelineTask own{PipelinePass::weight_gradient, m};
    if (pass == PipelinePass::input_gradient && !(i + 1 < stage.size() && stage[i + 1] == own))
      deferred.insert(m);
    const size_t d = deferred.size();
    if (d >= result.most_by_deferred.size()) result.most_by_deferred.resize(d + 1);
    result.most_by_deferred[d] = std::max(result.most_by_deferred[d], now);
  }
  return result;
}

}  // namespace fathom
