// All weights of a model, a shape on every field. Parameters, gradients, first and second moments are the
// same type; one visitor, visit(), lists every tensor with its name and shape, and allocation,
// initialisation, load, save, AdamW, clipping and sharding walk it.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "model/config.h"
#include "tensor/arena.h"
#include "tensor/device.h"
#include "tensor/tensor.h"

namespace fathom {

// Multi-head latent attention, paper equations 9-19.
struct AttentionWeights {
  Tensor q_proj;              // [H*(Dn+Dr), C]   without a query latent (V2-Lite); else absent
  Tensor q_a_proj;            // [Rq, C]          W_DQ
  Tensor q_a_bias;            // [Rq]             with attention_bias
  Tensor q_a_layernorm;       // [Rq]
  Tensor q_b_proj;            // [H*(Dn+Dr), Rq]  per head: W_UQ (Dn rows), then W_QR (Dr rows)
  Tensor kv_a_proj_with_mqa;  // [Rkv+Dr, C]      W_DKV, then W_KR
  Tensor kv_a_bias;           // [Rkv+Dr]         with attention_bias
  Tensor kv_a_layernorm;      // [Rkv]
  Tensor kv_b_proj;           // [H*(Dn+Dv), Rkv] per head: W_UK (Dn rows), then W_UV (Dv rows)
  Tensor o_proj;              // [C, H*Dv]        W_O
  Tensor o_bias;              // [C]              with attention_bias
};

// down(silu(gate(x)) * up(x)); gate and up are stored as one matrix.
struct MlpWeights {
  Tensor gate_up_proj;  // [2*width, C]  gate rows, then up rows
  Tensor down_proj;     // [C, width]
};

// DeepSeekMoE, paper equations 20-22.
struct MoeWeights {
  Tensor gate;                // [E, C]      the router: one centroid e_i per expert
  Tensor gate_up_proj;        // [E, 2F, C]  routed experts, each as in MlpWeights
  Tensor down_proj;           // [E, C, F]
  MlpWeights shared_experts;  // one MLP of width n_shared_experts * F; absent if that is 0
};

struct LayerWeights {
  Tensor input_layernorm;  // [C]
  AttentionWeights self_attn;
  Tensor post_attention_layernorm;  // [C]
  MlpWeights mlp;                   // dense layers only
  MoeWeights moe;                   // MoE layers only
};

struct Weights {
  Tensor embed_tokens;               // [V, C]
  std::vector<LayerWeights> layers;  // [num_hidden_layers]
  Tensor norm;                       // [C]
  Tensor lm_head;                    // [V, C]  the same memory as embed_tokens when they are tied
};

// What a tensor is, which decides how it starts.
enum class WeightKind { matrix, norm, bias };

struct WeightInfo {
  std::string name;  // Hugging Face's, where gate_proj and up_proj are one: "....gate_up_proj.weight"
  std::vector<int64_t> shape;
  WeightKind kind;
};

// Calls f(info, member) for every tensor that a model of this config has, in checkpoint order.
void visit(const Config& config, Weights& weights, const std::function<void(const WeightInfo&, Tensor&)>& f);

struct NamedWeight {
  WeightInfo info;
  Tensor tensor;
};
// The same as a list.
std::vector<NamedWeight> list_weights(const Config& config, const Weights& weights);

// Every tensor allocated from the arena (which may be a planning one), one after another.
Weights allocate_weights(const Config& config, Arena& arena, DType dtype);
// Bytes allocate_weights takes.
int64_t weight_bytes(const Config& config, DType dtype);

// Normal(0, initializer_range) matrices, norms 1, biases 0. Each value depends only on seed, name and index.
void initialize_weights(const Device& device, const Config& config, const Weights& weights, uint64_t seed);

// Parameter counts.
int64_t parameter_count(const Config& config);
// Parameters one token uses: K of the E routed experts. The embedding table is looked up, not multiplied: it
// is counted only on request.
int64_t active_parameter_count(const Config& config, bool with_input_embedding);

}  // namespace fathom
