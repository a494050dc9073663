// Training checkpoints: OUTPUT/step-00000123/ is a Hugging Face model folder (config.json, model.safetensors,
// tokenizer files), or where adapters are trained their folder (train/saved_folder.h), that also holds
// optimizer.safetensors (AdamW's moments and, in bf16 training, the master copies of the bf16 weights),
// trainer.json (where the run stands, its recipe, its tokenizer's and its data's identity) and
// checksums.json. Each appears complete or not at all.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "comm/communicator.h"
#include "model/model.h"
#include "train/checkpoint_writer.h"
#include "train/optimizer.h"
#include "train/recipe.h"
#include "train/run_state.h"
#include "train/saved_folder.h"

namespace fathom {

// The newest whole checkpoint folder in `output`, if there is one. Newer ones with a file that is missing or
// cut off are passed over, with a warning that says why.
std::optional<std::string> latest_checkpoint(const std::string& output);
// The newest checkpoint folder with something in it, whole or not.
std::optional<std::string> any_checkpoint(const std::string& output);

// OUTPUT/step-00000123 for step 123.
std::string checkpoint_folder(const std::string& output, int64_t step);

// The checkpoint that a CheckpointWriter writes into the recipe's output; older ones are pruned then. Its
// slices are those of saved_content() and of optimizer_tensors(). After an Error (a full disk, say) nothing
// new is there and what was there before still is.
FolderContent checkpoint_content(const Recipe& recipe, const RunState& state, const SavedModel& model);

// Its slices that this rank owns.
std::vector<TensorSlice> checkpoint_slices(const Optimizer& optimizer);

// Fills the allocated model, which may be a part of the whole, and the optimizer; of a model with adapters
// what is trained, and the rest must be there. Every rank calls it; each verifies a share of the tensors and
// reads what it holds. Error naming the file, and the tensor or field, that is damaged or of another model.
RunState load_checkpoint(Communicator& ranks, const Device& device, const std::string& checkpoint,
                         Model& model, Optimizer& optimizer);

// Removes checkpoints of `output` until the newest `keep` >= 1 whole ones of the steps up to `newest` are
// left. What the user put into one of them stays.
void prune_checkpoints(const std::string& output, int64_t keep, int64_t newest);

// Removes what killed processes left in `output`.
void sweep_output(const std::string& output);

}  // namespace fathom
