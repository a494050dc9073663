#include "model/adapter_folder.h"

#include <algorithm>
#include <filesystem>
#include <string_view>
#include <unordered_set>

#include "base/error.h"
#include "io/atomic_folder.h"
#include "io/descriptor.h"
#include "io/file.h"
#include "model/adapter_file.h"
#include "model/checkpoint_layout.h"
#include "model/model_folder.h"
#include "tensor/memory.h"

namespace fathom {
namespace {

const std::string config_name = "adapter_config.json", tensors_name = "adapter_model.safetensors";

StorageTypes trained_types(DType dtype) {
  return [dtype](const WeightInfo& info) {
    return is_trained(info) ? std::optional(storage_type(info, dtype)) : std::nullopt;
  };
}

}  // namespace

std::string adapter_tensors(const std::string& folder) {
  return file_in(folder, tensors_name);
}

Config with_adapter(const Config& config, const std::string& folder) {
  return AdapterFile(folder).with(config);
}

void load_adapter(const Device& device, const Config& config, Weights& weights, const std::string& folder,
                  const ModelPart& part) {
  AdapterFile(folder).load(device, config, weights, part);
}

void start_from_adapter(const Device& device, const Config& config, Weights& weights,
                        const std::string& folder, const ModelPart& part) {
  const AdapterFile file(folder);
  if (file.has_score_head() || !config.has_score_head()) return file.load(device, config, weights, part);
  Config language = config;
  language.num_labels = 0;
  Weights body = weights;
  body.head = {};
  file.load(device, language, body, part);
}

FilePatterns adapter_folder_files() {
  return {config_name, tensors_name};
}

CheckpointFiles adapter_files(const Config& config, DType dtype) {
  return {.files = {{tensors_name, stored_tensors(config, trained_types(dtype))}}, .index = {}};
}

std::vector<TensorSlice> adapter_slices(const Config& config, const Weights& weights) {
  std::vector<CheckpointPart> parts = checkpoint_parts(config, weights);
  std::erase_if(parts, [](const CheckpointPart& part) { return !part.name.starts_with(peft_prefix); });
  return slices_of_parts(parts);
}

void write_adapter_config(const std::string& dir, const Config& config, const std::string& base) {
  write_file(file_in(dir, config_name), adapter_config_to_json(config, base).dump(2) + "\n");
}

void save_adapter(const Device& device, const std::string& dir, const Model& model, const std::string& base) {
  assert(model.config.lora);
  AtomicFolder folder(dir, adapter_folder_files());
  write_tensors(device, folder.path(), adapter_files(model.config, model.dtype).files,
                adapter_slices(model.config, model.weights));
  write_adapter_config(folder.path(), model.config, base);
  folder.commit();
}

}  // namespace fathom
