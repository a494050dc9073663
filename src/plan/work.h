// What the ops of a training step compute and move: formulas over the sizes of a model, with an entry for
// every op that the code of model/ calls, in the same order. The time of a step follows from them without a
// run.
#pragma once
#include <cstdint>
#include <vector>

#include "model/config.h"
#include "model/part.h"
#include "model/recompute.h"
#include "model/weights.h"
#include "tensor/dtype.h"

namespace fathom {

// One call of an op: what its contract says it must compute and move at least.
struct OpWork {
  const char* op;
  double operations, bytes;
};
using Work = std::vector<OpWork>;

// A backward pass in the two parts that a pipeline takes apart.
struct PassWork {
  Work forward, input_gradient, weight_gradient;
};

// The sizes that the work of a micro-batch depends on.
struct WorkSize {
  DType dtype = DType::bf16;
  int64_t tokens = 0;        // N, of one rank
  int64_t sequences = 0;     // B, all equally long
  int64_t expert_ranks = 1;  // that share the routed experts; every one gets as many tokens
  bool accumulate = true;    // weight gradients are added to those of earlier micro-batches
  bool dropping = false;     // choices of experts are dropped
};

struct LayerWork {
  PassWork attention;  // with the norms and residual sums of the whole layer
  PassWork mlp;        // the dense MLP; of an MoE layer the shared experts
  PassWork routed;     // the router and the routed experts
  // What each part of Recompute computes again.
  Work norms, swiglu, up_projections, attended, dispatch;
};

LayerWork layer_work(const Config& config, const WorkSize& size, bool is_moe);
// What the backward pass of a layer computes again whose parts are recomputed.
Work recomputed_work(const LayerWork& layer, const Recompute& parts);

// What only the first stage of a pipeline has, and only the last one: the final norm, the head and the loss.
// The head keeps no logits: its weight gradient comes with its input gradient. Each stage needs rope's table.
PassWork embedding_work(const Config& config, const WorkSize& size);
PassWork head_work(const Config& config, const WorkSize& size, bool on_host);
PassWork stage_work(const Config& config, const WorkSize& size);

// Of a part's weights those of the routed experts, which are one matrix for each expert.
inline bool is_routed(const WeightInfo& info) {
  return info.shape.size() == 3;
}

// AdamW and the norm of all gradients of a rank that keeps one share of `replicas` of the routed experts'
// state and one of `others` of the rest.
Work optimizer_work(const Config& config, const ModelPart& part, DType dtype, int64_t replicas,
                    int64_t others);

// What a token costs by the model's own arithmetic, two operations for a multiply-add: forward once, backward
// twice, a causal query sees half of its sequence. Nothing is counted that is computed again.
double model_operations_per_token(const Config& config, int64_t sequence_length);

}  // namespace fathom
