// The steps that model_forward and model_backward are made of, around model/layer.h's: for those who run a
// model layer by layer.
#pragma once
#include "model/model.h"
#include "model/pass.h"

namespace fathom {

Pass forward_pass(Device& device, const Model& model, const Batch& batch, Activations& a);
Pass backward_pass(Device& device, const Model& model, const Batch& batch, Activations& a,
                   const WeightGradients& grads, double balance_weight);

// The rotary table of the batch.
void rotary_table(const Pass& pass, Activations& a);

// The tokens' embeddings, as stream(0).
void embed(const Pass& pass, const Weights& w, Activations& a);
void embed_backward(const Pass& pass, Weights& grads, Activations& a);

// stream(L), normed.
void final_norm(const Pass& pass, const Weights& w, Activations& a);
// From dhidden, the gradient of the normed states, the gradient of stream(L) in a.gradients.stream.
void final_norm_backward(const Pass& pass, const Weights& w, Weights& grads, Activations& a,
                         const Tensor& dhidden /* [N, C] */);

}  // namespace fathom
