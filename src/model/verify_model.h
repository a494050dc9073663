// Holds a model against somebody else's results for the same weights, tensor by tensor.
#pragma once
#include <string>
#include <vector>

#include "io/safetensors.h"
#include "model/model.h"

namespace fathom {

struct Verdict {
  std::string name;  // "logits", "loss", "grad.<Hugging Face name>", "greedy"
  double error;      // relative_error, or for token ids the share that differs
  double tolerance;
  bool pass() const { return error <= tolerance; }  // NaN does not pass
};

// Checks `logits` [B, T, V], `loss` [1] (mean next-token cross-entropy) and `grad.*` of that loss for
// `input_ids` [B, T], whichever of them the file holds. A gradient of no tensor of this model is an Error.
std::vector<Verdict> verify_model(Device& device, const Model& model, const SafetensorsFile& golden);

// The largest relative error each kind of result may show in this dtype.
double logits_tolerance(DType dtype);
double gradient_tolerance(DType dtype, const std::string& name);

}  // namespace fathom
