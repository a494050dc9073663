#include "train/training_checkpoint.h"

#include <algorithm>
#include <filesystem>
#include <vector>

#include "base/error.h"
#include "base/log.h"
#include "io/checkpoint.h"
#include "io/descriptor.h"
#include "io/file.h"
#include "model/adapter_config.h"
#include "model/adapter_file.h"
#include "model/adapter_folder.h"
#include "model/model_folder.h"
#include "train/checksums.h"
#include "train/optimizer_file.h"
#include "train/step_folders.h"

namespace fathom {
namespace fs = std::filesystem;
namespace {

constexpr const char* optimizer_file = "optimizer.safetensors";

// Why the folder is no whole checkpoint (a copy that stopped half-way, say); empty: it is one. An Error of
// any of its files is what is asked for here, so it is caught here.
std::string damage_of(const std::string& checkpoint) {
  try {
    read_json(file_in(checkpoint, "trainer.json"));
    const CheckpointReader optimizer(file_in(checkpoint, optimizer_file));
    if (is_adapter_folder(checkpoint)) {
      const AdapterFile weights(checkpoint);
    } else {
      read_config(checkpoint);
      const CheckpointReader weights(checkpoint);
    }
  } catch (const Error& e) {
    return e.what();
  }
  return {};
}

// The same, at a glance.
bool looks_whole(const std::string& checkpoint) {
  return fs::exists(file_in(checkpoint, "trainer.json")) && fs::exists(file_in(checkpoint, optimizer_file));
}

FilePatterns checkpoint_names() {
  FilePatterns files = saved_names();
  files.insert(files.end(), {optimizer_file, "trainer.json", checksums_file});
  return files;
}

}  // namespace

std::optional<std::string> latest_checkpoint(const std::string& output) {
  auto all = step_folders(output);
  for (; !all.empty(); all.pop_back()) {
    const std::string& folder = all.back().second;
    const std::string why = damage_of(folder);
    if (why.empty()) return folder;
    log::warn("{}: not a whole checkpoint: {}", folder, why);
  }
  return std::nullopt;
}

std::optional<std::string> any_checkpoint(const std::string& output) {
  auto all = step_folders(output);
  std::erase_if(all, [](const auto& one) { return fs::is_empty(one.second); });
  if (all.empty()) return std::nullopt;
  return all.back().second;
}

std::string checkpoint_folder(const std::string& output, int64_t step) {
  return step_folder(output, step);
}

FolderContent checkpoint_content(const Recipe& recipe, const RunState& state, const SavedModel& model) {
  const std::string& output = recipe.run.output;
  FolderContent content = saved_content(checkpoint_folder(output, state.step), model);
  content.names = checkpoint_names();
  content.files.push_back({optimizer_file, optimizer_tensors(model.config, model.dtype)});
  content.write_others = [=, write_model_files = std::move(content.write_others)](
                             const std::string& folder, const FileChecksums& checksums) {
    write_model_files(folder, checksums);
    write_checksums(folder, checksums);
    write_run_state(file_in(folder, "trainer.json"), state, recipe, model.config);
  };
  content.when_in_place = [=] { prune_checkpoints(output, recipe.checkpoint.keep, state.step); };
  return content;
}

std::vector<TensorSlice> checkpoint_slices(const Optimizer& optimizer) {
  std::vector<TensorSlice> slices = optimizer.weight_slices();
  for (TensorSlice& slice : optimizer.slices()) slices.push_back(std::move(slice));
  return slices;
}

RunState load_checkpoint(Communicator& ranks, const Device& device, const std::string& checkpoint,
                         Model& model, Optimizer& optimizer) {
  RunState state = read_run_state(file_in(checkpoint, "trainer.json"));
  verify_checksums(ranks, checkpoint, device.threads());
  if (model.config.lora)
    load_adapter(device, model.config, model.weights, checkpoint, model.part);
  else
    load_weights(device, model.config, model.weights, CheckpointReader(checkpoint), model.part);
  optimizer.load(device, file_in(checkpoint, optimizer_file));
  return state;
}

void prune_checkpoints(const std::string& output, int64_t keep, int64_t newest) {
  auto all = step_folders(output);
  int64_t whole = 0;
  for (; !all.empty(); all.pop_back()) {
    const auto& [step, folder] = all.back();
    if (step > newest) continue;
    if (whole >= std::max<int64_t>(keep, 1))
      remove_folder(folder, checkpoint_names());
    else
      whole += looks_whole(folder);
  }
}

void sweep_output(const std::string& output) {
  sweep_leftovers(output, checkpoint_names());
}

}  // namespace fathom
