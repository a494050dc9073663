// Weight: a parameter as it is stored, in a type of its own that need not be the one the model runs in. Only
// linear, grouped_linear and embedding read weights in other types than their activations'. What a storage
// type needs besides the elements (the scales of quantized blocks) travels here.
#pragma once
#include "tensor/tensor.h"

namespace fathom {

struct Weight {
  Tensor data;

  Weight() = default;
  Weight(const Tensor& data) : data(data) {}

  explicit operator bool() const { return static_cast<bool>(data); }
  DType dtype() const { return data.dtype; }
  int64_t count() const { return data.count(); }
};

}  // namespace fathom
