// Adapters in folders of PEFT's form: adapter_config.json and adapter_model.safetensors, under the names that
// PEFT gives the tensors of a model of Hugging Face transformers. Routed experts stand in it one by one
// ("...mlp.experts.3.gate_proj.lora_A.weight"), as fathom writes them, or fused, as PEFT 0.21 does with
// transformers 5: then gate and up have an A in common, which becomes one A of each.
#pragma once
#include <string>

#include "io/checkpoint.h"
#include "io/hidden_folder.h"
#include "model/config.h"
#include "model/model.h"

namespace fathom {

// The file of an adapter's folder with the tensors.
std::string adapter_tensors(const std::string& folder);

// The model of `config` with the adapters that a folder has for it, by names and shapes alone; a score head
// among the tensors makes the model one that scores. Error naming the file and the option or tensor for what
// fathom does not do, a tensor of another model, one that is missing, or a shape that is not this model's.
Config with_adapter(const Config& config, const std::string& folder);

// Fills the allocated adapters of a part from a folder whose adapters config has (with_adapter), and a score
// head that it has.
void load_adapter(const Device& device, const Config& config, Weights& weights, const std::string& folder,
                  const ModelPart& part = {});

// The same at the start of training: a score head that config has and the folder lacks is left as it is.
void start_from_adapter(const Device& device, const Config& config, Weights& weights,
                        const std::string& folder, const ModelPart& part = {});

// Names of the files of an adapter's folder.
FilePatterns adapter_folder_files();
// Its file with the tensors: what a model with these adapters trains.
CheckpointFiles adapter_files(const Config& config, DType dtype);
// Views of these tensors, under their names there.
std::vector<TensorSlice> adapter_slices(const Config& config, const Weights& weights);
// Writes the other file. `base` is the folder or name of the model beneath.
void write_adapter_config(const std::string& dir, const Config& config, const std::string& base);

// Writes a model's adapters into `dir`, created if need be; what an earlier one left there is replaced in one
// step.
void save_adapter(const Device& device, const std::string& dir, const Model& model, const std::string& base);

}  // namespace fathom
