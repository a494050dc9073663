// Models over the weights of another one that has adapters: these are frozen, so that one copy of them serves
// both. The other model must outlive them.
#pragma once
#include <string>

#include "model/model.h"

namespace fathom {

// The model beneath the adapters.
Model beneath_adapters(const Model& model);

// The same with the adapters of a folder (model/adapter_folder.h), which have memory of their own, in place
// of the model's. Error where those are not of this model, or bring a head of their own.
Model beside_adapters(const Device& device, const Model& model, const std::string& folder);

}  // namespace fathom
