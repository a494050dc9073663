#include "plan/work.h"

#include <algorithm>
#include <cmath>

#include "model/head.h"
#include "ops/dispatch.h"

namespace fathom {
namespace {

void append(Work& all, const Work& more) {
  all.insert(all.end(), more.begin(), more.end());
}

// The contracts' formulas (ops/NAME.cpp). Sizes are in elements; `any` and `stat` are bytes of an element.
struct Ops {
  const Config& c;
  const WorkSize& size;
  double N = static_cast<double>(size.tokens), C = static_cast<double>(c.hidden_size),
         any = static_cast<double>(size_of(size.dtype)),
         stat = static_cast<double>(size_of(stat_of(size.dtype))), id = 4;

  // Products of [N, I] and a weight [O, I]. The router's result and weight are of the stat type.
  struct Projection {
    double O, I, result, weight;
    bool accumulate_dx = false;
  };
  Projection projection(int64_t O, int64_t I, bool accumulate_dx = false) const {
    return {static_cast<double>(O), static_cast<double>(I), any, any, accumulate_dx};
  }
  OpWork forward(const Projection& p) const {
    return {"linear_forward", 2 * N * p.I * p.O, N * p.O * p.result + N * p.I * any + p.O * p.I * p.weight};
  }
  void add(PassWork& work, const Projection& p) const {
    const double operations = 2 * N * p.I * p.O;
    work.forward.push_back(forward(p));
    work.input_gradient.push_back(
        {"linear_backward_input", operations,
         (p.accumulate_dx ? 2 : 1) * N * p.I * any + N * p.O * p.result + p.O * p.I * p.weight});
    work.weight_gradient.push_back(
        {"linear_backward_weight", operations,
         (size.accumulate ? 2 : 1) * p.O * p.I * stat + N * p.O * p.result + N * p.I * any});
  }

  OpWork norm(double width) const { return {"rmsnorm_forward", 4 * N * width, (2 * N + 1) * width * any}; }
  void add_norm(PassWork& work, int64_t columns, bool accumulate_dx) const {
    const auto width = static_cast<double>(columns);
    work.forward.push_back(norm(width));
    work.input_gradient.push_back(
        {"rmsnorm_backward", 8 * N * width, ((accumulate_dx ? 4 : 3) * N + 1) * width * any});
  }

  OpWork rope(int64_t heads) const {
    const auto Dr = static_cast<double>(c.qk_rope_head_dim), H = static_cast<double>(heads);
    return {"rope", 3 * N * H * Dr, 2 * N * H * Dr * any + N * Dr * stat};
  }
  OpWork residual_add() const { return {"residual_add", N * C, 3 * N * C * any}; }

  OpWork swiglu(double rows, double width) const {
    return {"swiglu_forward", 5 * rows * width, 3 * rows * width * any};
  }
  void add_swiglu(PassWork& work, double rows, double width) const {
    work.forward.push_back(swiglu(rows, width));
    work.input_gradient.push_back({"swiglu_backward", 10 * rows * width, 5 * rows * width * any});
  }

  double pairs() const {
    const double T = N / static_cast<double>(std::max<int64_t>(size.sequences, 1));
    return static_cast<double>(c.num_attention_heads) * N * (T + 1) / 2;
  }
  OpWork attention_forward() const {
    return {"attention_forward", 2 * pairs() * static_cast<double>(c.qk_head_dim() + c.v_head_dim),
            N * attended_elements() * any + N * static_cast<double>(c.num_attention_heads) * stat};
  }
  OpWork attention_backward() const {
    return {"attention_backward", 2 * pairs() * static_cast<double>(3 * c.qk_head_dim() + 2 * c.v_head_dim),
            2 * N * attended_elements() * any + N * static_cast<double>(c.num_attention_heads) * stat};
  }

  // Rows and weights of the routed experts that a rank has.
  double rows() const { return N * static_cast<double>(c.num_experts_per_tok); }
  void add_experts(PassWork& work, int64_t out, int64_t in) const {
    const double M = rows(), O = static_cast<double>(out), I = static_cast<double>(in),
                 E = static_cast<double>(c.n_routed_experts) / static_cast<double>(size.expert_ranks),
                 operations = 2 * M * I * O, moved = M * (O + I) * any;
    const double weights = std::min(M, E) * O * I * any;  // an expert without rows is not read
    work.forward.push_back({"grouped_linear_forward", operations, moved + weights});
    work.input_gradient.push_back({"grouped_linear_backward_input", operations, moved + weights});
    work.weight_gradient.push_back(
        {"grouped_linear_backward_weight", operations, (size.accumulate ? 2 : 1) * E * O * I * stat + moved});
  }

  // Of attention, which may recompute it.
  void add_kept_norm(LayerWork& layer, int64_t columns, bool accumulate_dx) const {
    add_norm(layer.attention, columns, accumulate_dx);
    layer.norms.push_back(norm(static_cast<double>(columns)));
  }
  void add_latent_attention(LayerWork& layer) const;
  void add_grouped_attention(LayerWork& layer) const;
  void add_attention(LayerWork& layer) const;
  void add_mlp(LayerWork& layer, int64_t width, bool accumulate_dx) const;
  void add_router(PassWork& work) const;
  void add_routed(LayerWork& layer) const;

 private:
  // Of a token: queries and outputs of all heads, keys and values, MLA's shared rotary key.
  double attended_elements() const {
    return static_cast<double>(c.num_attention_heads * (c.qk_head_dim() + c.v_head_dim) +
                               c.kv_heads() * c.kv_head_dim() + (c.is_mla() ? c.qk_rope_head_dim : 0));
  }
};

// model/mla.cpp.
void Ops::add_latent_attention(LayerWork& layer) const {
  const int64_t H = c.num_attention_heads, D = c.qk_head_dim();
  PassWork& work = layer.attention;
  const Projection q = projection(H * D, c.q_lora_rank > 0 ? c.q_lora_rank : c.hidden_size,
                                  /*accumulate_dx=*/c.q_lora_rank == 0);
  if (c.q_lora_rank > 0) {
    add(work, projection(c.q_lora_rank, c.hidden_size, true));
    add_kept_norm(layer, c.q_lora_rank, false);
  }
  add(work, q);
  add(work, projection(c.cache_width(), c.hidden_size));
  add_kept_norm(layer, c.kv_lora_rank, false);
  for (const int64_t heads : {H, int64_t{1}})
    for (Work* pass : {&work.forward, &work.input_gradient}) pass->push_back(rope(heads));
  const Projection kv = projection(H * c.kv_head_dim(), c.kv_lora_rank);
  add(work, kv);
  layer.up_projections = {forward(q), rope(H), forward(kv)};
}

// model/gqa.cpp.
void Ops::add_grouped_attention(LayerWork& layer) const {
  const int64_t H = c.num_attention_heads, G = c.num_key_value_heads;
  PassWork& work = layer.attention;
  const Projection q = projection(H * c.qk_head_dim(), c.hidden_size, true),
                   kv = projection(G * c.kv_head_dim(), c.hidden_size);
  add(work, q);
  add(work, kv);
  for (const int64_t heads : {H, G})
    for (Work* pass : {&work.forward, &work.input_gradient}) pass->push_back(rope(heads));
  layer.up_projections = {forward(q), rope(H), forward(kv), rope(G)};
}

// Either, with the norms and residual sums of model/layer.cpp.
void Ops::add_attention(LayerWork& layer) const {
  PassWork& work = layer.attention;
  add_kept_norm(layer, c.hidden_size, true);
  if (c.is_mla())
    add_latent_attention(layer);
  else
    add_grouped_attention(layer);
  work.forward.push_back(attention_forward());
  work.input_gradient.push_back(attention_backward());
  layer.attended = {attention_forward()};
  add(work, projection(c.hidden_size, c.num_attention_heads * c.v_head_dim));
  add_kept_norm(layer, c.hidden_size, true);
  append(work.forward, {residual_add(), residual_add()});
}

// model/mlp.cpp.
void Ops::add_mlp(LayerWork& layer, int64_t width, bool accumulate_dx) const {
  add(layer.mlp, projection(2 * width, c.hidden_size, accumulate_dx));
  add_swiglu(layer.mlp, N, static_cast<double>(width));
  layer.swiglu.push_back(swiglu(N, static_cast<double>(width)));
  add(layer.mlp, projection(c.hidden_size, width));
}

// The first half of model/moe.cpp.
void Ops::add_router(PassWork& work) const {
  const auto E = static_cast<double>(c.n_routed_experts), K = static_cast<double>(c.num_experts_per_tok),
             B = static_cast<double>(size.sequences);
  add(work, {.O = E, .I = C, .result = stat, .weight = stat, .accumulate_dx = true});
  const double scores = N * E * stat, ids = N * K * id, weights = N * K * stat;
  if (size.dropping)
    append(work.forward, {{"router_forward", 4 * N * E, 2 * scores + ids + weights},
                          {"capacity", 2 * N * K, 2 * ids},
                          {"expert_sort", N * K, 3 * ids}});
  else
    work.forward.push_back({"router_sort", 4 * N * E, 2 * scores + weights + 3 * ids});
  const double prices = (c.seq_aux ? B : 1) * E * stat;
  append(work.forward,
         {{"balance_loss", N * (E + K), scores + ids + prices}, {"expert_counts", 2 * N * K, ids}});
  append(work.input_gradient, {{"balance_loss_backward", N * E, scores},
                               {"router_backward", 4 * N * E, 3 * scores + weights + ids}});
}

// The second half.
void Ops::add_routed(LayerWork& layer) const {
  const double M = rows();
  const auto F = static_cast<double>(c.moe_intermediate_size);
  PassWork& work = layer.routed;
  add_router(work);
  const OpWork permute = {"permute", 0, 2 * M * C * any};
  work.forward.push_back(permute);
  layer.dispatch = {permute};
  add_experts(work, 2 * c.moe_intermediate_size, c.hidden_size);
  add_swiglu(work, M, F);
  layer.swiglu.push_back(swiglu(M, F));
  add_experts(work, c.hidden_size, c.moe_intermediate_size);
  const double shared = c.n_shared_experts > 0 ? N * C * any : 0;
  work.forward.push_back({"combine", 2 * M * C, (N + M) * C * any + shared});
  append(work.input_gradient, {{"combine_backward", 3 * M * C, (N + 2 * M) * C * any},
                               {"permute_backward", M * C, (N + M) * C * any}});
}

}  // namespace

LayerWork layer_work(const Config& config, const WorkSize& size, bool is_moe) {
  const Ops ops{config, size};
  LayerWork layer;
  ops.add_attention(layer);
  if (!is_moe) {
    ops.add_mlp(layer, config.intermediate_size, false);
    return layer;
  }
  ops.add_routed(layer);
  if (config.n_shared_experts > 0)
    ops.add_mlp(layer, config.n_shared_experts * config.moe_intermediate_size, true);
  return layer;
}

Work recomputed_work(const LayerWork& layer, const Recompute& parts) {
  Work work;
  if (parts.norms) append(work, layer.norms);
  if (parts.swiglu) append(work, layer.swiglu);
  if (parts.up_projections) append(work, layer.up_projections);
  if (parts.attention) append(work, layer.attended);
  if (parts.dispatch) append(work, layer.dispatch);
  return work;
}

PassWork embedding_work(const Config& config, const WorkSize& size) {
  const Ops ops{config, size};
  const double elements = ops.N * ops.C;
  return {.forward = {{"embedding_forward", 0, 2 * elements * ops.any}},
          .input_gradient = {},
          .weight_gradient = {{"embedding_backward", elements, elements * (ops.any + 2 * ops.stat)}}};
}

PassWork head_work(const Config& config, const WorkSize& size, bool on_host) {
  const Ops ops{config, size};
  PassWork work;
  ops.add_norm(work, config.hidden_size, false);
  const double N = ops.N, C = ops.C, any = ops.any, stat = ops.stat;
  const auto V = static_cast<double>(config.head_rows());
  const auto rows = static_cast<double>(logits_chunk_rows(config, size.dtype, size.tokens, on_host));
  const double chunks = std::ceil(N / rows), weights = chunks * V * C, operations = 2 * N * V * C;
  const double added = size.accumulate ? 2 * chunks : 2 * chunks - 1;  // times the gradient is moved
  Work& work_back = work.input_gradient;
  append(work_back, {{"linear_forward", operations, N * V * stat + (N * C + weights) * any},
                     {"cross_entropy", 6 * N * V, N * V * (stat + any)},
                     {"linear_backward_weight", operations, added * V * C * stat + N * (V + C) * any},
                     {"linear_backward_input", operations, (N * (V + C) + weights) * any}});
  return work;
}

PassWork stage_work(const Config& config, const WorkSize& size) {
  const auto Dr = static_cast<double>(config.qk_rope_head_dim), N = static_cast<double>(size.tokens);
  const double stat = static_cast<double>(size_of(stat_of(size.dtype)));
  return {
      .forward = {{"rope_table", 2 * N * Dr, N * Dr * stat}}, .input_gradient = {}, .weight_gradient = {}};
}

Work optimizer_work(const Config& config, const ModelPart& part, DType dtype, int64_t replicas,
                    int64_t others) {
  const auto stat = static_cast<double>(size_of(stat_of(dtype)));
  OpWork update{"adamw", 0, 0}, norm{"sum_squares", 0, 0};
  for (const NamedWeight& w : list_weights(config, {}, part)) {
    if (!is_trained(w.info)) continue;
    double count = 1 / static_cast<double>(is_routed(w.info) ? replicas : others);
    for (const int64_t d : w.info.shape) count *= static_cast<double>(d);
    // Gradient, both moments read and written, the weight written, and what is updated: read and, where it is
    // a copy, written.
    const DType stored = storage_type(w.info, dtype);
    const auto weight = static_cast<double>(size_of(stored));
    update.bytes += count * (5 * stat + weight + (stored == stat_of(dtype) ? weight : 2 * stat));
    update.operations += 15 * count;
    norm.bytes += count * stat, norm.operations += 2 * count;
  }
  return {norm, update};
}

double model_operations_per_token(const Config& c, int64_t T) {
  const double pairs = static_cast<double>(c.num_hidden_layers * c.num_attention_heads * (T + 1)) / 2;
  return 6 * (static_cast<double>(active_parameter_count(c, false)) +
              pairs * static_cast<double>(c.qk_head_dim() + c.v_head_dim));
}

}  // namespace fathom
