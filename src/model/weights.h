// The weights of a model, or of a part of it (model/part.h), a shape on every field. Parameters, gradients,
// first and second moments are the same type; one visitor, visit(), lists every tensor with its name and
// shape, and allocation, initialization, load, save, AdamW and clipping walk it. Each entry has a storage
// type of its own.
#pragma once
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "model/config.h"
#include "model/part.h"
#include "tensor/arena.h"
#include "tensor/device.h"
#include "tensor/tensor.h"
#include "tensor/weight.h"

namespace fathom {

// Rows of a projection's output: `blocks` of `height` of them, the first from `first` on, `stride` rows
// apart.
struct OutputRows {
  int64_t first = 0, height = 0, stride = 0, blocks = 1;
};

// One adapter (model/lora.h): scale * B A x is added to some rows of the projection's output.
struct LowRank {
  Weight a;  // [r, I], of routed experts [E, r, I]
  Weight b;  // [rows, r], of routed experts [E, rows, r]
  OutputRows rows;
  double scale = 0;

  int64_t rank() const { return b.data.cols(); }
};

// A matrix that adapters may stand beside.
struct Projection {
  Weight weight;
  std::vector<LowRank> low_rank;

  explicit operator bool() const { return static_cast<bool>(weight); }
};

// Multi-head latent attention, paper equations 9-19.
struct AttentionWeights {
  Projection q_proj;              // [H*(Dn+Dr), C]   without a query latent (V2-Lite); else absent
  Projection q_a_proj;            // [Rq, C]          W_DQ
  Weight q_a_bias;                // [Rq]             with attention_bias
  Weight q_a_layernorm;           // [Rq]
  Projection q_b_proj;            // [H*(Dn+Dr), Rq]  per head: W_UQ (Dn rows), then W_QR (Dr rows)
  Projection kv_a_proj_with_mqa;  // [Rkv+Dr, C]      W_DKV, then W_KR
  Weight kv_a_bias;               // [Rkv+Dr]         with attention_bias
  Weight kv_a_layernorm;          // [Rkv]
  Projection kv_b_proj;           // [H*(Dn+Dv), Rkv] per head: W_UK (Dn rows), then W_UV (Dv rows)
  Projection kv_proj;             // [G*(Dn+Dr+Dv), C] grouped-query attention instead: per head W_K, then W_V
  Projection o_proj;              // [C, H*Dv]        W_O
  Weight o_bias;                  // [C]              with attention_bias
};

// down(silu(gate(x)) * up(x)); gate and up are stored as one matrix.
struct MlpWeights {
  Projection gate_up_proj;  // [2*width, C]  gate rows, then up rows
  Projection down_proj;     // [C, width]
};

// DeepSeekMoE, paper equations 20-22.
struct MoeWeights {
  Weight gate;         // [E, C]      the router: one centroid e_i per expert
  Weight choice_bias;  // [E]         added to the scores for the choice alone, with noaux_tc; not trained
  Projection gate_up_proj;    // [E, 2F, C]  routed experts, each as in MlpWeights
  Projection down_proj;       // [E, C, F]
  MlpWeights shared_experts;  // one MLP of width n_shared_experts * F; absent if that is 0
};

struct LayerWeights {
  Weight input_layernorm;  // [C]
  AttentionWeights self_attn;
  Weight post_attention_layernorm;  // [C]
  MlpWeights mlp;                   // dense layers only
  MoeWeights moe;                   // MoE layers only

  bool is_moe() const { return static_cast<bool>(moe.gate); }
};

// The projections that a layer may have; of some of them weights and adapters are absent.
std::vector<Projection*> projections_of(LayerWeights& layer);

struct Weights {
  Weight embed_tokens;               // [V, C]
  std::vector<LayerWeights> layers;  // [num_hidden_layers]; those of other parts are empty
  Weight norm;                       // [C]
  Weight
      head;  // [V, C]  lm_head, the same memory as embed_tokens when they are tied; or score [num_labels, C]
};

// What a tensor is, which decides how it starts and in which type it is stored.
enum class WeightKind { matrix, router, norm, bias, choice_bias, lora_a, lora_b };
constexpr bool is_adapter(WeightKind kind) {
  return kind == WeightKind::lora_a || kind == WeightKind::lora_b;
}
constexpr bool is_matrix(WeightKind kind) {
  return kind == WeightKind::matrix || kind == WeightKind::router || is_adapter(kind);
}

struct WeightInfo {
  // Hugging Face's, where gate_proj and up_proj are one, "....gate_up_proj.weight", and k_proj and v_proj
  // "....kv_proj.weight".
  std::string name;
  std::vector<int64_t> shape;
  WeightKind kind;
  int64_t first_expert = 0;  // of a weight of the routed experts: the one that its first matrix belongs to
  int64_t layer = -1;        // that it belongs to; none: embedding, final norm, head
  int64_t kv_heads = 0;      // of kv_proj: G
  bool frozen = false;       // in a model with adapters, all but these and a score head
};
// Whether it has a gradient and moments. A choice bias is moved by a rule of its own (ops/router_bias.h).
inline bool is_trained(const WeightInfo& info) {
  return info.kind != WeightKind::choice_bias && !info.frozen;
}

// Calls f(info, member) for every tensor that this part of a model of this config has, in checkpoint order; A
// and B of adapters, "....lora_A.weight" and "....lora_B.weight", right behind the matrix that they stand
// beside.
void visit(const Config& config, Weights& weights, const std::function<void(const WeightInfo&, Weight&)>& f,
           const ModelPart& part = {});

struct NamedWeight {
  WeightInfo info;
  Weight weight;
};
// The same as a list.
std::vector<NamedWeight> list_weights(const Config& config, const Weights& weights,
                                      const ModelPart& part = {});

// The type that an entry is stored in; none leaves it out.
using StorageTypes = std::function<std::optional<DType>(const WeightInfo&)>;

// The type of an entry of a model that runs in `dtype`. Routers and their choice biases stay in the
// accumulator's type, f32 for a bf16 model: a rounded router chooses other experts.
DType storage_type(const WeightInfo& info, DType dtype);
// Of what the optimizer works on: the accumulator's type of all that is trained.
StorageTypes gradient_types(DType dtype);

// Every tensor allocated from the arena (which may be a planning one), one after another. Error naming the
// config's fields when they are too large together.
Weights allocate_weights(const Config& config, Arena& arena, const StorageTypes& types,
                         const ModelPart& part = {});
Weights allocate_weights(const Config& config, Arena& arena, DType dtype, const ModelPart& part = {});
// Bytes allocate_weights takes.
int64_t weight_bytes(const Config& config, const StorageTypes& types, const ModelPart& part = {});
int64_t weight_bytes(const Config& config, DType dtype, const ModelPart& part = {});
// The same of the whole model, without the arena's padding: what a checkpoint of it holds.
int64_t checkpoint_bytes(const Config& config, DType dtype);

// Normal(0, initializer_range) matrices, norms 1, biases 0; of adapters A uniform in +-1/sqrt(I), as PEFT
// starts it (Kaiming's with a = sqrt(5)), and B 0, so that they change nothing at first. Each value depends
// only on seed, name and index in the whole model.
void initialize_weights(Device& device, const Config& config, Weights& weights, uint64_t seed,
                        const ModelPart& part = {});
// The same of the adapters alone.
void initialize_adapters(Device& device, const Config& config, Weights& weights, uint64_t seed,
                         const ModelPart& part = {});

// Parameter counts; of a model with adapters theirs are among them. Error as from allocate_weights.
int64_t parameter_count(const Config& config);
// Those that training changes.
int64_t trained_parameter_count(const Config& config);
// Parameters one token uses: K of the E routed experts. The embedding table is looked up, not multiplied: it
// is counted only on request.
int64_t active_parameter_count(const Config& config, bool with_input_embedding);

}  // namespace fathom
