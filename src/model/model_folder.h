// Models in Hugging Face checkpoint folders: config.json and safetensors, read and written.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "io/checkpoint.h"
#include "io/hidden_folder.h"
#include "model/model.h"

namespace fathom {

// The weights under the names of a Hugging Face checkpoint, gate_proj and up_proj apart and every expert on
// its own: views, no copies.
std::vector<NamedTensor> checkpoint_tensors(const Config& config, const Weights& weights);

// Fills allocated weights from tensors in Hugging Face's layout, experts one by one or fused as newer
// transformers saves them (mlp.experts.gate_up_proj [E, 2F, C], down_proj [E, C, F]), converting dtypes. A
// missing tensor, one of another shape or one that this model does not have is an Error naming it.
void load_weights(const Device& device, const Config& config, const Weights& weights,
                  const CheckpointReader& checkpoint);

// Reads a model folder into the device's memory. dtype: that of the weights in memory; by default what the
// checkpoint holds (f16 becomes f32).
Model load_model(const Device& device, const std::string& dir, std::optional<DType> dtype = {});

// Names of the files that save_model() writes.
FilePatterns model_folder_files();

// Writes config.json, generation_config.json and the weights into `dir` (created if need be), each file
// atomically.
void save_model(const Device& device, const std::string& dir, const Config& config, const Weights& weights);

}  // namespace fathom
