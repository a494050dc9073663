// The one list of all tensors of a model, and the types that they have.
#include <optional>

#include "model/projection_parts.h"
#include "model/weights.h"
#include "ops/dispatch.h"

namespace fathom {
namespace {

using Visit = std::function<void(const WeightInfo&, Weight&)>;

// The tensors of one layer.
class LayerVisitor {
 public:
  LayerVisitor(const Config& config, const ModelPart& part, int64_t layer, const Visit& visit)
      : c(config), part_(part), layer_(layer), visit_(visit) {}

  void run(LayerWeights& w) const {
    const std::string prefix = "model.layers." + std::to_string(layer_) + ".";
    const std::vector<int64_t> row = {c.hidden_size};
    weight({prefix + "input_layernorm.weight", row, WeightKind::norm}, w.input_layernorm);
    attention(prefix + "self_attn.", w.self_attn);
    weight({prefix + "post_attention_layernorm.weight", row, WeightKind::norm}, w.post_attention_layernorm);
    if (c.is_moe_layer(layer_))
      moe(prefix + "mlp.", w.moe);
    else
      mlp(prefix + "mlp.", c.intermediate_size, w.mlp);
  }

 private:
  void weight(WeightInfo info, Weight& w) const {
    info.layer = layer_;
    info.frozen = static_cast<bool>(c.lora) && !is_adapter(info.kind);
    visit_(info, w);
  }
  void projection(const WeightInfo& info, Projection& p) const {
    weight(info, p.weight);
    if (c.lora) adapters(info, p);
  }
  void adapters(const WeightInfo& matrix, Projection& p) const;
  void attention(const std::string& prefix, AttentionWeights& w) const;
  void mlp(const std::string& prefix, int64_t width, MlpWeights& w) const;
  void moe(const std::string& prefix, MoeWeights& w) const;

  const Config& c;
  const ModelPart& part_;
  const int64_t layer_;
  const Visit& visit_;
};

void LayerVisitor::adapters(const WeightInfo& matrix, Projection& p) const {
  size_t n = 0;
  for (const ProjectionPart& part : projection_parts(matrix)) {
    const auto found = c.lora.projections.find(part.name);
    if (found == c.lora.projections.end()) continue;
    if (p.low_rank.size() == n) p.low_rank.emplace_back();
    LowRank& l = p.low_rank[n++];
    l.rows = part.rows, l.scale = c.lora.scale(found->second);
    WeightInfo a = matrix, b = matrix;
    const size_t rows = matrix.shape.size() - 2, columns = rows + 1;
    a.name = part.name + ".lora_A.weight", a.kind = WeightKind::lora_a, a.kv_heads = 0;
    b.name = part.name + ".lora_B.weight", b.kind = WeightKind::lora_b, b.kv_heads = 0;
    a.shape[rows] = b.shape[columns] = found->second.rank;
    b.shape[rows] = part.rows.height * part.rows.blocks;
    weight(a, l.a);
    weight(b, l.b);
  }
}

void LayerVisitor::attention(const std::string& prefix, AttentionWeights& w) const {
  const int64_t H = c.num_attention_heads, C = c.hidden_size, Rq = c.q_lora_rank, Rkv = c.kv_lora_rank;
  const int64_t Dn = c.qk_nope_head_dim, Dr = c.qk_rope_head_dim, Dv = c.v_head_dim;
  const auto matrix = WeightKind::matrix, norm = WeightKind::norm, bias = WeightKind::bias;
  if (Rq == 0) {
    projection({prefix + "q_proj.weight", {H * (Dn + Dr), C}, matrix}, w.q_proj);
  } else {
    projection({prefix + "q_a_proj.weight", {Rq, C}, matrix}, w.q_a_proj);
    if (c.attention_bias) weight({prefix + "q_a_proj.bias", {Rq}, bias}, w.q_a_bias);
    weight({prefix + "q_a_layernorm.weight", {Rq}, norm}, w.q_a_layernorm);
    projection({prefix + "q_b_proj.weight", {H * (Dn + Dr), Rq}, matrix}, w.q_b_proj);
  }
  if (c.is_mla()) {
    projection({prefix + "kv_a_proj_with_mqa.weight", {Rkv + Dr, C}, matrix}, w.kv_a_proj_with_mqa);
    if (c.attention_bias) weight({prefix + "kv_a_proj_with_mqa.bias", {Rkv + Dr}, bias}, w.kv_a_bias);
    weight({prefix + "kv_a_layernorm.weight", {Rkv}, norm}, w.kv_a_layernorm);
    projection({prefix + "kv_b_proj.weight", {H * (Dn + Dv), Rkv}, matrix}, w.kv_b_proj);
  } else {
    const int64_t G = c.num_key_value_heads;
    WeightInfo kv = {prefix + "kv_proj.weight", {G * c.kv_head_dim(), C}, matrix};
    kv.kv_heads = G;
    projection(kv, w.kv_proj);
  }
  projection({prefix + "o_proj.weight", {C, H * Dv}, matrix}, w.o_proj);
  if (c.attention_bias) weight({prefix + "o_proj.bias", {C}, bias}, w.o_bias);
}

void LayerVisitor::mlp(const std::string& prefix, int64_t width, MlpWeights& w) const {
  projection({prefix + "gate_up_proj.weight", {2 * width, c.hidden_size}, WeightKind::matrix},
             w.gate_up_proj);
  projection({prefix + "down_proj.weight", {c.hidden_size, width}, WeightKind::matrix}, w.down_proj);
}

void LayerVisitor::moe(const std::string& prefix, MoeWeights& w) const {
  const int64_t E = part_.experts(c), first = part_.first_expert, C = c.hidden_size,
                F = c.moe_intermediate_size;
  weight({prefix + "gate.weight", {c.n_routed_experts, C}, WeightKind::router}, w.gate);
  if (c.topk_method == TopkMethod::noaux_tc)
    weight({prefix + "gate.e_score_correction_bias", {c.n_routed_experts}, WeightKind::choice_bias},
           w.choice_bias);
  projection({prefix + "experts.gate_up_proj", {E, 2 * F, C}, WeightKind::matrix, first}, w.gate_up_proj);
  projection({prefix + "experts.down_proj", {E, C, F}, WeightKind::matrix, first}, w.down_proj);
  if (c.n_shared_experts > 0) mlp(prefix + "shared_experts.", c.n_shared_experts * F, w.shared_experts);
}

}  // namespace

void visit(const Config& c, Weights& w, const Visit& f, const ModelPart& part) {
  w.layers.resize(c.num_hidden_layers);
  const auto outside = [&](WeightInfo info, Weight& weight) {
    info.frozen = static_cast<bool>(c.lora);
    f(info, weight);
  };
  const std::vector<int64_t> row = {c.hidden_size};
  if (part.has_embedding())
    outside({"model.embed_tokens.weight", {c.vocab_size, c.hidden_size}, WeightKind::matrix}, w.embed_tokens);
  for (int64_t i = part.first_layer; i < part.end_layer(c); ++i) LayerVisitor(c, part, i, f).run(w.layers[i]);
  if (!part.has_head(c)) return;
  outside({"model.norm.weight", row, WeightKind::norm}, w.norm);
  const std::vector<int64_t> head = {c.head_rows(), c.hidden_size};
  if (c.has_score_head())  // trained beside adapters, and saved with them: no language model has one to start
                           // with
    f({c.lora ? "base_model.model.score.weight" : "score.weight", head, WeightKind::matrix}, w.head);
  else if (c.ties_head())
    w.head = w.embed_tokens;
  else
    outside({"lm_head.weight", head, WeightKind::matrix}, w.head);
}

DType storage_type(const WeightInfo& info, DType dtype) {
  const bool routes = info.kind == WeightKind::router || info.kind == WeightKind::choice_bias;
  return routes ? stat_of(dtype) : dtype;
}

StorageTypes gradient_types(DType dtype) {
  return [stat = stat_of(dtype)](const WeightInfo& info) {
    return is_trained(info) ? std::optional(stat) : std::nullopt;
  };
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

}  // namespace fathom
