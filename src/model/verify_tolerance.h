// How large an error each kind of result may show, and why: the one table of `fathom verify`.
#pragma once
#include <string>

#include "tensor/dtype.h"

namespace fathom {

struct Tolerance {
  double value;
  std::string reason;
};

// States, logits and loss of the whole model, after `layers` layers.
Tolerance whole_tolerance(DType dtype, int64_t layers);
// Gradients of the whole model (f32 and f64).
Tolerance whole_gradient_tolerance(DType dtype, int64_t layers);
// bf16, where every half of a layer runs alone, from the reference's states: one rounding (an embedding, a
// norm), the half's output, gradients.
Tolerance rounded_tolerance();
Tolerance half_layer_tolerance();
Tolerance half_layer_gradient_tolerance();
// The router's choice, in routing_error's units; in bf16 from the reference's states.
Tolerance experts_tolerance(DType dtype, int64_t layers);
// A token that differs, in the units of verify_greedy.
Tolerance greedy_tolerance(DType dtype, int64_t layers);

// The same where the golden file stores the result in bf16.
Tolerance stored_in(DType golden, Tolerance tolerance);

}  // namespace fathom
