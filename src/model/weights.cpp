#include "model/weights.h"

#include <algorithm>

#include "base/error.h"
#include "ops/fill_normal.h"
#include "tensor/memory.h"

namespace fathom {
namespace {

using Visitor = std::function<void(const WeightInfo&, Weight&)>;

void visit_attention(const Config& c, const std::string& prefix, AttentionWeights& w, const Visitor& f) {
  const int64_t H = c.num_attention_heads, C = c.hidden_size, Rq = c.q_lora_rank, Rkv = c.kv_lora_rank;
  const int64_t Dn = c.qk_nope_head_dim, Dr = c.qk_rope_head_dim, Dv = c.v_head_dim;
  const auto matrix = WeightKind::matrix, norm = WeightKind::norm, bias = WeightKind::bias;
  if (Rq == 0) {
    f({prefix + "q_proj.weight", {H * (Dn + Dr), C}, matrix}, w.q_proj);
  } else {
    f({prefix + "q_a_proj.weight", {Rq, C}, matrix}, w.q_a_proj);
    if (c.attention_bias) f({prefix + "q_a_proj.bias", {Rq}, bias}, w.q_a_bias);
    f({prefix + "q_a_layernorm.weight", {Rq}, norm}, w.q_a_layernorm);
    f({prefix + "q_b_proj.weight", {H * (Dn + Dr), Rq}, matrix}, w.q_b_proj);
  }
  if (c.is_mla()) {
    f({prefix + "kv_a_proj_with_mqa.weight", {Rkv + Dr, C}, matrix}, w.kv_a_proj_with_mqa);
    if (c.attention_bias) f({prefix + "kv_a_proj_with_mqa.bias", {Rkv + Dr}, bias}, w.kv_a_bias);
    f({prefix + "kv_a_layernorm.weight", {Rkv}, norm}, w.kv_a_layernorm);
    f({prefix + "kv_b_proj.weight", {H * (Dn + Dv), Rkv}, matrix}, w.kv_b_proj);
  } else {
    const int64_t G = c.num_key_value_heads;
    WeightInfo kv = {prefix + "kv_proj.weight", {G * c.kv_head_dim(), C}, matrix};
    kv.kv_heads = G;
    f(kv, w.kv_proj);
  }
  f({prefix + "o_proj.weight", {C, H * Dv}, matrix}, w.o_proj);
  if (c.attention_bias) f({prefix + "o_proj.bias", {C}, bias}, w.o_bias);
}

void visit_mlp(const Config& c, const std::string& prefix, int64_t width, MlpWeights& w, const Visitor& f) {
  f({prefix + "gate_up_proj.weight", {2 * width, c.hidden_size}, WeightKind::matrix}, w.gate_up_proj);
  f({prefix + "down_proj.weight", {c.hidden_size, width}, WeightKind::matrix}, w.down_proj);
}

void visit_moe(const Config& c, const std::string& prefix, MoeWeights& w, const Visitor& f,
               const ModelPart& part) {
  const int64_t E = part.experts(c), first = part.first_expert, C = c.hidden_size,
                F = c.moe_intermediate_size;
  f({prefix + "gate.weight", {c.n_routed_experts, C}, WeightKind::router}, w.gate);
  if (c.topk_method == TopkMethod::noaux_tc)
    f({prefix + "gate.e_score_correction_bias", {c.n_routed_experts}, WeightKind::choice_bias},
      w.choice_bias);
  f({prefix + "experts.gate_up_proj", {E, 2 * F, C}, WeightKind::matrix, first}, w.gate_up_proj);
  f({prefix + "experts.down_proj", {E, C, F}, WeightKind::matrix, first}, w.down_proj);
  if (c.n_shared_experts > 0)
    visit_mlp(c, prefix + "shared_experts.", c.n_shared_experts * F, w.shared_experts, f);
}

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

void visit(const Config& c, Weights& w, const Visitor& f, const ModelPart& part) {
  w.layers.resize(c.num_hidden_layers);
  const std::vector<int64_t> table = {c.vocab_size, c.hidden_size}, row = {c.hidden_size};
  if (part.has_embedding()) f({"model.embed_tokens.weight", table, WeightKind::matrix}, w.embed_tokens);
  for (int64_t i = part.first_layer; i < part.end_layer(c); ++i) {
    const Visitor of_layer = [&](WeightInfo info, Weight& weight) {
      info.layer = i;
      f(info, weight);
    };
    const std::string prefix = "model.layers." + std::to_string(i) + ".";
    LayerWeights& layer = w.layers[i];
    of_layer({prefix + "input_layernorm.weight", row, WeightKind::norm}, layer.input_layernorm);
    visit_attention(c, prefix + "self_attn.", layer.self_attn, of_layer);
    of_layer({prefix + "post_attention_layernorm.weight", row, WeightKind::norm},
             layer.post_attention_layernorm);
    if (c.is_moe_layer(i))
      visit_moe(c, prefix + "mlp.", layer.moe, of_layer, part);
    else
      visit_mlp(c, prefix + "mlp.", c.intermediate_size, layer.mlp, of_layer);
  }
  if (!part.has_head(c)) return;
  f({"model.norm.weight", row, WeightKind::norm}, w.norm);
  if (c.ties_head())
    w.head = w.embed_tokens;
  else
    f({c.has_score_head() ? "score.weight" : "lm_head.weight",
       {c.head_rows(), c.hidden_size},
       WeightKind::matrix},
      w.head);
}

std::vector<NamedWeight> list_weights(const Config& c, const Weights& weights, const ModelPart& part) {
  std::vector<NamedWeight> list;
  Weights views = weights;
  visit(
      c, views,
      [&](const WeightInfo& info, Weight& w) {
        list.push_back({info, w});
      },
      part);
  return list;
}

DType storage_type(const WeightInfo& info, DType dtype) {
  const bool routes = info.kind == WeightKind::router || info.kind == WeightKind::choice_bias;
  return routes ? stat_of(dtype) : dtype;
}

StorageTypes gradient_types(DType dtype) {
  return [stat = stat_of(dtype)](const WeightInfo& info) {
    return is_trained(info.kind) ? std::optional(stat) : std::nullopt;
  };
}

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
  for (const NamedWeight& w : list_weights(c, weights, part)) {
    const Tensor& out = w.weight.data;
    const WeightKind kind = w.info.kind;
    if (kind == WeightKind::matrix || kind == WeightKind::router)
      fill_normal(device,
                  {.out = out,
                   .std = c.initializer_range,
                   .seed = seed,
                   .stream = stream_of(w.info.name),
                   .first = static_cast<uint64_t>(w.info.first_expert * (out.count() / out.shape[0]))});
    else
      staging.write(out, [&](const Tensor& host) { fill(host, kind == WeightKind::norm ? 1 : 0); });
  }
}

int64_t parameter_count(const Config& c) {
  int64_t n = 0;
  for (const NamedWeight& w : list_weights(c, {})) {
    n += element_count(c, w.info);
    if (n > most_elements) fail_too_large(c, "the model");
  }
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
