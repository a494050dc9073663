#include "model/shared_weights.h"

#include <utility>

#include "base/error.h"
#include "model/adapter_folder.h"

namespace fathom {
namespace {

StorageTypes adapter_types(DType dtype) {
  return [dtype](const WeightInfo& info) {
    return is_adapter(info.kind) ? std::optional(storage_type(info, dtype)) : std::nullopt;
  };
}

}  // namespace

// Nothing here is ever gathered from other ranks: Model::before_layer stays absent.
Model beneath_adapters(const Model& model) {
  assert(model.config.lora);
  Model beneath{without_adapters(model.config), model.dtype, {}, model.weights, model.part};
  for (LayerWeights& layer : beneath.weights.layers)
    for (Projection* projection : projections_of(layer)) projection->low_rank.clear();
  return beneath;
}

Model beside_adapters(const Device& device, const Model& model, const std::string& folder) {
  Model other = beneath_adapters(model);
  const Config config = with_adapter(other.config, folder);
  check(config.num_labels == other.config.num_labels, "{}: its head is another than the model's", folder);
  const StorageTypes types = adapter_types(model.dtype);
  other.memory = Arena("a copy of the adapters", weight_bytes(config, types, model.part), device,
                       "a lower rank takes less");
  Weights adapters = allocate_weights(config, other.memory, types, model.part);
  load_adapter(device, config, adapters, folder, model.part);
  for (size_t i = 0; i < other.weights.layers.size(); ++i) {
    const auto from = projections_of(adapters.layers[i]), to = projections_of(other.weights.layers[i]);
    for (size_t p = 0; p < to.size(); ++p) to[p]->low_rank = std::move(from[p]->low_rank);
  }
  other.config = config;
  return other;
}

}  // namespace fathom
