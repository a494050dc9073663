// Models in Hugging Face checkpoint folders: config.json and safetensors, read and written.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "io/checkpoint.h"
#include "io/hidden_folder.h"
#include "model/model.h"

namespace fathom {

// A view of weights that are a tensor of a Hugging Face checkpoint, or its elements from `first` on.
struct CheckpointPart {
  std::string name;
  Tensor tensor;
  int64_t first = 0;
};
// All that are present, gate_proj and up_proj apart, keys and values head by head, and every expert on its
// own.
std::vector<CheckpointPart> checkpoint_parts(const Config& config, const Weights& weights,
                                             const ModelPart& part = {});
// The same, to be written. checkpoint_tensors is of a model with MLA, whose parts are whole tensors.
std::vector<NamedTensor> checkpoint_tensors(const Config& config, const Weights& weights);
std::vector<TensorSlice> slices_of_parts(const std::vector<CheckpointPart>& parts);

// Fills the allocated weights of a part from a checkpoint of the whole model (check_checkpoint says which are
// refused), converting types; what is not allocated is left out. A warning tells how many were rounded.
// Experts stand in it one by one, or fused as newer transformers saves them (mlp.experts.gate_up_proj [E, 2F,
// C], down_proj [E, C, F]).
void load_weights(const Device& device, const Config& config, Weights& weights,
                  const CheckpointReader& checkpoint, const ModelPart& part = {});

// Reads a model folder into the device's memory. dtype: the one that the model runs in; by default that of
// most of the checkpoint's elements (f16 becomes f32).
Model load_model(const Device& device, const std::string& dir, std::optional<DType> dtype = {});

// The same with the adapters of a folder (model/adapter_folder.h) beside the weights.
Model load_model(const Device& device, const std::string& dir, const std::string& adapter,
                 std::optional<DType> dtype);

// What a config.json says its weights are stored in, "bfloat16" (as DeepSeek publishes) where it says
// nothing.
std::string config_dtype(const std::string& path);

// Names of the files of a model folder.
FilePatterns model_folder_files();
// Its files with the weights, each weight in its own type; adapters are not among them.
CheckpointFiles weight_files(const Config& config, DType dtype);
// Writes the others, config.json and generation_config.json.
void write_config_files(const std::string& dir, const Config& config, DType dtype);

// Writes a whole model into `dir`, created if need be; what an earlier model left there is replaced in one
// step. From `beside`, the folder of a model that this one was made of, come tokenizer, chat template and
// generation_config.json; tokenizer and chat template from `adapter`, an adapter's folder, where that has
// them.
void save_model(const Device& device, const std::string& dir, const Model& model,
                const std::string& beside = {}, const std::string& adapter = {});

// Writes the model of one folder into another with `config`, which allocates the same weights: config.json is
// new, the files of weights and tokenizer are copied. What an earlier model left in `to` is replaced in one
// step.
void copy_model(const std::string& from, const std::string& to, const Config& config);

}  // namespace fathom
