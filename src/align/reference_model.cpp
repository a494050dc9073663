#include "align/reference_model.h"

namespace fathom {

ReferenceModel::ReferenceModel(Device& device, const std::string& folder, const Recipe& r)
    : model_(load_model(device, folder, r.run.precision)),
      pass_(device, model_, r.batch.micro_batch * r.data.sequence_length,
            "batch.micro_batch or data.sequence_length lowers it") {}

std::vector<float> ReferenceModel::log_probs(const PackedBatch& packed, double temperature) {
  std::vector<float> values = pass_.losses(packed.batch, packed.targets, temperature);
  for (float& value : values) value = -value;
  return values;
}

}  // namespace fathom
