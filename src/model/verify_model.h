// Compares a model with somebody else's results for the same weights, tensor by tensor.
#pragma once
#include <string>
#include <vector>

#include "io/safetensors.h"
#include "model/model.h"
#include "model/verify_reference.h"
#include "model/verify_tolerance.h"

namespace fathom {

struct Verdict {
  std::string name;  // as in the golden file: "logits", "hidden.3", "grad.<Hugging Face name>", ...
  double error;      // relative_error; for experts.* routing_error
  Tolerance tolerance;
  bool pass() const { return error <= tolerance.value; }  // NaN does not pass
};

// Checks, for `input_ids` [B, T], whichever of these the file holds:
//   `logits` [B, T, V], `loss` [1] (mean next-token cross-entropy), `grad.*` of that loss;
//   `hidden.0` .. `hidden.L` [B, T, C], the residual stream before layer 0, 1, ... and after the last;
//   `middle.I`, between attention and MLP of layer I; `hidden.norm`, after the final norm; `hidden_grad.*`,
//   `middle_grad.*`, the loss's gradients of them;
//   `experts.I` [B, T, K] of MoE layer I. They are also taken in place of our own choice, so that all other
//   results are of the same experts (routing replay).
//
// In f32 and f64 the whole model runs as it stands. In bf16 rounding adds up from layer to layer, and where
// two experts are nearly tied it moves a token, until a small fault can no longer be told from it. So there
// only logits and loss are of the whole model; every half of a layer runs alone, forward and backward, from
// the reference's states, gradients and experts, and its error is that of its own rounding. Where the file
// has gradients, what it lacks for this comes from `reference`. With `layers` the states come from there too
// if the file lacks any, so that layers are compared in any case (but not f32 on the CPU with itself).
//
// A gradient of no tensor of this model is an Error.
std::vector<Verdict> verify_model(Device& device, const Model& model, const SafetensorsFile& golden,
                                  OwnReference& reference, bool layers = false);

}  // namespace fathom
