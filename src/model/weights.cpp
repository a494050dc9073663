#include "model/weights.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/rng.h"
#include "ops/fill_normal.h"
#include "tensor/memory.h"

namespace fathom {
namespace {

// A name's own random stream: FNV-1a, fixed for all time so that a seed keeps its meaning.
uint64_t stream_of(const std::string& name) {
  uint64_t hash = 0xcbf29ce484222325u;
  for (unsigned char ch : name) hash = (hash ^ ch) * 0x100000001b3u;
  return hash;
}

void fill(const Tensor& t, float value) {
  with_dtype<double, float, bf16>("initialize_weights", t.dtype,
                                  [&]<class T>(T) { std::fill_n(t.as<T>(), t.count(), T(value)); });
}

// Uniform in +-1/sqrt(I) for rows of I, from element `first` of the whole model's tensor on.
void fill_uniform(const Tensor& t, uint64_t seed, uint64_t stream, uint64_t first) {
  Rng rng(seed, stream);
  rng.seek(first);
  const double bound = 1 / std::sqrt(static_cast<double>(t.cols()));
  with_dtype<double, float, bf16>("initialize_weights", t.dtype, [&]<class T>(T) {
    for (int64_t i = 0; i < t.count(); ++i)
      t.as<T>()[i] = T(static_cast<float>((2 * rng.uniform() - 1) * bound));
  });
}

void start_weight(Device& device, Staging& staging, const Config& c, const NamedWeight& w, uint64_t seed) {
  const Tensor& out = w.weight.data;
  const auto stream = stream_of(w.info.name),
             first = static_cast<uint64_t>(w.info.first_expert * (out.count() / out.shape[0]));
  switch (w.info.kind) {
    case WeightKind::matrix:
    case WeightKind::router:
      return fill_normal(
          device, {.out = out, .std = c.initializer_range, .seed = seed, .stream = stream, .first = first});
    case WeightKind::lora_a:
      return staging.write(out, [&](const Tensor& host) { fill_uniform(host, seed, stream, first); });
    default:
      staging.write(out, [&](const Tensor& host) { fill(host, w.info.kind == WeightKind::norm ? 1 : 0); });
  }
}

// So many elements of the widest type, and their padding, still have a size in bytes.
constexpr int64_t most_elements = int64_t{1} << 59;

// Each field of a checked config is sane alone; together they may still ask for more than can be counted.
[[noreturn]] void fail_too_large(const Config& c, const std::string& what) {
  fail(
      "{} has more than 2^59 elements: hidden_size is {}, num_hidden_layers {}, vocab_size {}, "
      "intermediate_size {}, moe_intermediate_size {}, n_routed_experts {}, n_shared_experts {}",
      what, c.hidden_size, c.num_hidden_layers, c.vocab_size, c.intermediate_size, c.moe_intermediate_size,
      c.n_routed_experts, c.n_shared_experts);
}

int64_t element_count(const Config& c, const WeightInfo& info) {
  int64_t n = 1;
  for (int64_t d : info.shape)
    if (__builtin_mul_overflow(n, d, &n) || n > most_elements) fail_too_large(c, info.name);
  return n;
}

}  // namespace

Weights allocate_weights(const Config& c, Arena& arena, const StorageTypes& types, const ModelPart& part) {
  parameter_count(c);  // fails where a size would overflow
  Weights weights;
  const auto allocate = [&](const WeightInfo& info, Weight& w) {
    const std::optional<DType> type = types(info);
    if (!type) return;
    const auto& s = info.shape;
    if (s.size() == 1) w.data = arena.allocate(*type, {s[0]});
    if (s.size() == 2) w.data = arena.allocate(*type, {s[0], s[1]});
    if (s.size() == 3) w.data = arena.allocate(*type, {s[0], s[1], s[2]});
  };
  visit(c, weights, allocate, part);
  return weights;
}

Weights allocate_weights(const Config& c, Arena& arena, DType dtype, const ModelPart& part) {
  return allocate_weights(
      c, arena, [dtype](const WeightInfo& info) { return storage_type(info, dtype); }, part);
}

int64_t weight_bytes(const Config& c, const StorageTypes& types, const ModelPart& part) {
  Arena plan;
  allocate_weights(c, plan, types, part);
  return plan.used();
}

int64_t weight_bytes(const Config& c, DType dtype, const ModelPart& part) {
  return weight_bytes(
      c, [dtype](const WeightInfo& info) { return storage_type(info, dtype); }, part);
}

int64_t checkpoint_bytes(const Config& c, DType dtype) {
  parameter_count(c);  // fails where a size would overflow
  int64_t bytes = 0;
  for (const NamedWeight& w : list_weights(c, {}))
    bytes += element_count(c, w.info) * size_of(storage_type(w.info, dtype));
  return bytes;
}

void initialize_weights(Device& device, const Config& c, Weights& weights, uint64_t seed,
                        const ModelPart& part) {
  Staging staging(device);
  for (const NamedWeight& w : list_weights(c, weights, part)) start_weight(device, staging, c, w, seed);
}

void initialize_adapters(Device& device, const Config& c, Weights& weights, uint64_t seed,
                         const ModelPart& part) {
  Staging staging(device);
  for (const NamedWeight& w : list_weights(c, weights, part))
    if (is_adapter(w.info.kind)) start_weight(device, staging, c, w, seed);
}

std::vector<Projection*> projections_of(LayerWeights& w) {
  AttentionWeights& a = w.self_attn;
  return {&a.q_proj,
          &a.q_a_proj,
          &a.q_b_proj,
          &a.kv_a_proj_with_mqa,
          &a.kv_b_proj,
          &a.kv_proj,
          &a.o_proj,
          &w.mlp.gate_up_proj,
          &w.mlp.down_proj,
          &w.moe.gate_up_proj,
          &w.moe.down_proj,
          &w.moe.shared_experts.gate_up_proj,
          &w.moe.shared_experts.down_proj};
}

int64_t parameter_count(const Config& c) {
  int64_t n = 0;
  for (const NamedWeight& w : list_weights(c, {})) {
    n += element_count(c, w.info);
    if (n > most_elements) fail_too_large(c, "the model");
  }
  return n;
}

int64_t trained_parameter_count(const Config& c) {
  int64_t n = 0;
  for (const NamedWeight& w : list_weights(c, {}))
    if (is_trained(w.info)) n += element_count(c, w.info);
  return n;
}

int64_t active_parameter_count(const Config& c, bool with_input_embedding) {
  const int64_t one_expert = 3 * c.moe_intermediate_size * c.hidden_size;
  int64_t n =
      parameter_count(c) - c.n_moe_layers() * (c.n_routed_experts - c.num_experts_per_tok) * one_expert;
  if (!with_input_embedding && !c.ties_head()) n -= c.vocab_size * c.hidden_size;
  return n;
}

}  // namespace fathom
