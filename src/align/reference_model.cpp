#include "align/reference_model.h"

#include "model/shared_weights.h"

namespace fathom {
namespace {

// Where experts are divided among ranks a policy's weights are not all here, and the reference makes its
// passes alone.
bool has_all(const Model& policy) {
  const ModelPart& part = policy.part;
  return part.layers(policy.config) == policy.config.num_hidden_layers &&
         part.expert_ranks(policy.config) == 1;
}

Model frozen_model(Device& device, const Model& policy, const std::string& named, const Recipe& r) {
  const std::string &base = r.model.init_from, &adapter = r.lora.init_from;
  if (!named.empty()) return load_model(device, named, r.run.precision);
  if (!policy.config.lora || (!has_all(policy) && adapter.empty()))
    return load_model(device, base, r.run.precision);
  if (!has_all(policy)) return load_model(device, base, adapter, r.run.precision);
  return adapter.empty() ? beneath_adapters(policy) : beside_adapters(device, policy, adapter);
}

}  // namespace

ReferenceModel::ReferenceModel(Device& device, const Model& policy, const std::string& named, const Recipe& r)
    : model_(frozen_model(device, policy, named, r)),
      pass_(device, model_, r.batch.micro_batch * r.data.sequence_length,
            "batch.micro_batch or data.sequence_length lowers it") {}

std::vector<float> ReferenceModel::log_probs(const PackedBatch& packed, double temperature) {
  std::vector<float> values = pass_.losses(packed.batch, packed.targets, temperature);
  for (float& value : values) value = -value;
  return values;
}

}  // namespace fathom
