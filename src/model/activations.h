// The intermediate results of a forward pass, named as in the layer code. Training keeps one set per layer
// for the backward pass; what is recomputed there is shared by the layers, as everything is in serving. Where
// two names share memory, a member function of the struct says so.
#pragma once
#include <vector>

#include "model/batch.h"
#include "model/config.h"
#include "model/part.h"
#include "model/recompute.h"
#include "tensor/arena.h"
#include "tensor/tensor.h"

namespace fathom {

// Gradients of attention's tensors, of their shapes.
struct AttentionGradients {
  Tensor q;       // [N, H, Dn+Dr]
  Tensor q_a;     // [N, Rq]
  Tensor kv;      // [N, H, Dn+Dv], with grouped-query attention [N, G, Dr+Dv]
  Tensor latent;  // [N, Rkv+Dr]
};

// M = keys expanded at a time (N without a cache). Grouped-query attention has q, kv, out and lse (and
// merged) alone; its kv [max(M, N), G, Dr+Dv] are rotated keys and values as they are cached.
struct AttentionActivations {
  Tensor q_a;         // [N, Rq]           query latent, before its norm
  Tensor q_a_normed;  // [N, Rq]
  Tensor q_a_rstd;    // [N] stat
  Tensor q;           // [N, H, Dn+Dr]     rotated
  Tensor latent;  // [N, Rkv+Dr]       [c_kv | k_rope], k_rope rotated. In serving c_kv is normed in place: a
                  // cache row
  Tensor c_kv;    // [N, Rkv]          normed
  Tensor c_kv_rstd;  // [N] stat
  Tensor kv;         // [M, H, Dn+Dv]     expanded keys and values
  Tensor out;        // [N, H, Dv]
  Tensor lse;        // [N, H] stat
  // Serving only, expanded:
  Tensor prefix;      // [M, Rkv+Dr]     cache rows, gathered
  Tensor merged;      // [N, H, Dv] stat over the chunks of keys so far, if there are several
  Tensor merged_lse;  // [N, H] stat
  // Serving only, absorbed:
  Tensor q_latent;  // [N, H, Rkv]       absorbed queries
  Tensor ctx;       // [N, H, Rkv]       attended latents

  // Serving norms both latents in place: q_a_normed is q_a, c_kv the first columns of latent.
  void norm_in_place(int64_t Rkv) {
    q_a_normed = q_a;
    c_kv = latent.columns(0, Rkv);
  }
  // After an input pass whose weight gradients are deferred.
  AttentionGradients gradients() const { return {q, q_a, kv, latent}; }
};

struct MlpActivations {
  Tensor gate_up;  // [N, 2*width]
  Tensor act;      // [N, width]

  // The backward pass overwrites gate_up with its gradient.
  const Tensor& dgate_up() const { return gate_up; }
};

// The experts of this process and the tokens they work on: the batch's, M = N*K; or with experts on several
// ranks those T that arrive from any of them, with M choices of these experts, in memory of the
// ExpertExchange.
struct ExpertActivations {
  Tensor offsets;   // [E+1] i32
  Tensor row_of;    // [N, K] i32
  Tensor token_of;  // [M] i32
  Tensor x;         // [M, C]  tokens in expert order
  Tensor gate_up;   // [M, 2F]
  Tensor act;       // [M, F]
  Tensor rows;      // [M, C]  expert outputs

  // The backward pass overwrites with its gradient what it no longer needs; x only if the weights' gradients
  // are there.
  const Tensor& drows() const { return rows; }
  const Tensor& dgate_up() const { return gate_up; }
  const Tensor& dx() const { return x; }
};

// The tokens that go to experts on R ranks, S of them, a token once to each rank that has any of its experts;
// and those T that arrive here.
struct SentTokens {
  Tensor ranks;                   // [N, K] i32: ExpertRanks::ranks
  Tensor counts;                  // [R+1 + R] i32
  Tensor row_of;                  // [N, K] i32: the row of the token on its way to this choice's rank
  Tensor token_of;                // [N*K] i32: the token of each row
  std::vector<int64_t> to, from;  // tokens to and from each rank
  // In memory of the ExpertExchange, from `begin` on:
  Tensor x;        // [T, C]
  Tensor weights;  // [T, K] stat
  int64_t begin = 0;

  int64_t n_ranks() const { return counts.cols() / 2; }
  Tensor offsets() const { return counts.slice(0, n_ranks() + 1); }          // rows for each rank
  Tensor choices() const { return counts.slice(n_ranks() + 1, n_ranks()); }  // of each rank's experts
};

struct MoeActivations {
  Tensor scores;    // [N, E] stat
  Tensor ids;       // [N, K] i32
  Tensor weights;   // [N, K] stat
  Tensor prices;    // [B, E] stat, for the balance losses; training only
  Tensor kept;      // [N, K] i32, ids that are not dropped; training only
  SentTokens sent;  // with experts on several ranks only
  ExpertActivations experts;
  MlpActivations shared;

  // The softmax overwrites the router's logits.
  const Tensor& logits() const { return scores; }
  // After an input pass whose weight gradients are deferred.
  const Tensor& dlogits() const { return scores; }
};

struct LayerActivations {
  Tensor input_normed;  // [N, C]
  Tensor input_rstd;    // [N] stat
  AttentionActivations attention;
  Tensor middle;         // [N, C]  the residual stream between attention and MLP
  Tensor middle_normed;  // [N, C]
  Tensor middle_rstd;    // [N] stat
  MlpActivations mlp;    // dense layers
  MoeActivations moe;    // MoE layers

  // With deferred weight gradients, after the input pass: the gradients of the layer's output, in the memory
  // of the next layer's input, and of `middle`.
  Tensor dout;  // [N, C]
  const Tensor& dmiddle() const { return middle; }
};

// What the backward pass needs besides: gradients of the same shapes, used by one layer at a time. Those of a
// norm's or the router's output are overwritten with that of its input.
struct Gradients {
  Tensor stream;  // [N, C]  gradient of the residual stream
  Tensor branch;  // [N, C]  gradient of a branch's normed input
  AttentionGradients attention;
  Tensor attention_out;  // [N, H, Dv]
  Tensor act;            // [N * widest dense or shared MLP], see act_like()
  Tensor expert_act;     // [N*K, F], with all experts here
  Tensor expert_x;       // [N*K, C], with deferred weight gradients only: over expert_act
  Tensor scores;         // [N, E] stat
  Tensor weights;        // [N, K] stat

  // The gradient of an MLP's `act`, of its shape.
  Tensor act_like(const Tensor& x) const { return act.slice(0, x.count()).reshape({x.rows(), x.cols()}); }
};

struct ExpertExchange;  // model/expert_exchange.h

enum class Purpose { training, serving };

struct Activations {
  Purpose purpose = Purpose::serving;
  Recompute recompute;
  Tensor cos_sin;                        // [N, Dr] stat
  int64_t first_layer = 0;               // of the model's part
  std::vector<Tensor> streams;           // of [N, C], the residual stream between layers
  std::vector<LayerActivations> layers;  // one per layer of the part; some or all may share memory
  Tensor normed;                         // [N, C]  after the final norm: what the LM head reads
  Tensor rstd;                           // [N] stat
  Tensor balance_losses;  // [3] stat: BalanceLoss::losses, summed over the MoE layers; training only
  Tensor recomputed_balance_losses;    // [3] stat, where a recomputed forward pass puts them; training only
  ChoiceCounts choices;                // += by model_forward. Set by who wants to know.
  ExpertExchange* exchange = nullptr;  // with experts on several ranks, set by who brings them together
  Gradients gradients;                 // training only
  Tensor low_rank;                     // with adapters only: what model/projection.h needs for one of them
  bool deferred = false;               // made by allocate_deferred_activations

  // Layer i reads stream(i) and writes stream(i + 1).
  const Tensor& stream(int64_t i) const { return streams[(i - first_layer) % streams.size()]; }
  LayerActivations& layer(int64_t i) { return layers[static_cast<size_t>(i - first_layer)]; }
};

// Lays the tensors for a batch of exactly this size out in the arena (which may be a planning one). It costs
// next to nothing: a caller with batches of changing size rewinds the arena and lays them out again.
Activations allocate_activations(const Config& config, Arena& arena, DType dtype, Purpose purpose,
                                 const BatchSize& size, const Recompute& recompute = {},
                                 const ModelPart& part = {});
// Bytes allocate_activations takes.
int64_t activation_bytes(const Config& config, DType dtype, Purpose purpose, const BatchSize& size,
                         const Recompute& recompute = {}, const ModelPart& part = {});

// Training activations for a pipeline, where the weight gradients of a micro-batch (model_backward_weight)
// come any time after its backward pass, and several micro-batches are in flight. Memory, by how long it is
// needed:
//   kept: from the forward pass to the weight gradients. The backward pass replaces what nobody needs any
//   more by the gradients that the weight gradients need: every micro-batch is laid out anew.
//   deferred: from the backward pass, before which allocate_deferred_gradients lays it out, to the weight
//   gradients. What was recomputed, and the gradients of one layer, with which that exchange begins.
//   scratch: within one pass. The micro-batches share it.
Activations allocate_deferred_activations(const Config& config, Arena& kept, Arena& scratch, DType dtype,
                                          const BatchSize& size, const Recompute& recompute = {},
                                          const ModelPart& part = {});
void allocate_deferred_gradients(const Config& config, Arena& deferred, DType dtype, const BatchSize& size,
                                 Activations& activations);

struct DeferredActivationBytes {
  int64_t kept = 0, deferred = 0, scratch = 0;
};
DeferredActivationBytes deferred_activation_bytes(const Config& config, DType dtype, const BatchSize& size,
                                                  const Recompute& recompute = {},
                                                  const ModelPart& part = {});

}  // namespace fathom
