// Adapters brought into the weights beside which they stand.
#pragma once
#include "model/model.h"
#include "tensor/device.h"

namespace fathom {

// W += scale * B A, in f32 (f64 of an f64 model), rounded once to W's type. The model then has no adapters.
// On the host alone.
void merge_adapters(Device& device, Model& model);

}  // namespace fathom
