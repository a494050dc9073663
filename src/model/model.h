// The model: embedding, layers, final norm. The LM head and the losses are outside (model/head.h), so that
// pretraining, fine-tuning and reinforcement learning differ only in the dlogits they hand to it.
#pragma once
#include <functional>
#include <utility>

#include "model/activations.h"
#include "model/batch.h"
#include "model/config.h"
#include "model/weights.h"
#include "tensor/device.h"

namespace fathom {

// A config and the weights that belong to it, or to a part of it.
struct Model {
  Config config;
  DType dtype = DType::f32;
  Arena memory;
  Weights weights;
  ModelPart part = {};

  // Called by model_forward before it reads a layer's weights: num_hidden_layers are the final norm and the
  // head, -1 is the embedding. May be absent.
  std::function<void(int64_t layer)> before_layer = {};
};

// Allocated where the device works, all zero. Warns of sizes that have no fast kernels on a GPU
// (slow_paths.h).
Model make_model(const Device& device, const Config& config, DType dtype, const ModelPart& part = {});
// The same, where `allocate` decides how the weights lie in `bytes` of memory.
using WeightPlacement = std::function<Weights(Arena& arena, const ModelPart& part)>;
Model make_model(const Device& device, const Config& config, DType dtype, const ModelPart& part,
                 int64_t bytes, const WeightPlacement& allocate);

// The gradients of all weights, summed over the micro-batches of an optimizer step. The step's first backward
// pass writes every entry, the others add to it: nothing has to be cleared.
struct WeightGradients {
  Weights weights;          // gradient_types
  bool accumulate = false;  // whether the next backward pass adds: who begins a step says no
  // The same of the next model_backward_weight. The first backward pass of a step says no.
  bool accumulate_deferred = false;

  // Called by a backward pass as soon as nothing of it is left that writes gradients of a layer or of those
  // behind it: num_hidden_layers are the final norm and the head, -1 is the embedding. What model_backward
  // leaves to model_backward_weight is told there. May be absent.
  std::function<void(int64_t layer)> layer_written = {};

  // Of a model that runs in `dtype`; the arena may be a planning one.
  WeightGradients(const Config& config, Arena& arena, DType dtype, const ModelPart& part = {});
  // In memory that is there.
  explicit WeightGradients(Weights allocated) : weights(std::move(allocated)) {}
};

// Runs the batch through the model's layers. Returns the normed hidden states [N, C] (activations.normed); of
// a part without the head the stream behind its last layer. A part without the embedding begins with what is
// in activations.stream(part.first_layer). Checks
// token ids and positions against the config where the host can read them (else upload_batch did). In
// training, activations.balance_losses are the balance losses summed over the MoE layers.
Tensor model_forward(Device& device, const Model& model, const Batch& batch, Activations& activations);

// From dhidden, the gradient of what model_forward returned (it may be activations.gradients.stream), writes
// every parameter's gradient to `grads`, or adds it, but the head's (model/head.h), which comes before; the
// next backward pass then adds. The gradient of what a part without the embedding began with is then in
// activations.gradients.stream. The batch and activations must be those of the last model_forward, with
// Purpose training. balance_weight scales the balance losses' gradient (1: they are simply added to the main
// loss).
//
// With deferred activations this is the input pass: it leaves the gradients of the projections' weights to
// model_backward_weight, any time later, and makes those of the norms, of the embedding and of whole layers
// that are recomputed. Each gradient adds up in the order of the calls that make it.
void model_backward(Device& device, const Model& model, const Batch& batch, Activations& activations,
                    const Tensor& dhidden /* [N, C] */, WeightGradients& grads, double balance_weight = 1);
void model_backward_weight(Device& device, const Model& model, const Batch& batch, Activations& activations,
                           WeightGradients& grads);

}  // namespace fathom
