// Training checkpoints: OUTPUT/step-00000123/ is a Hugging Face model folder (config.json, model.safetensors,
// tokenizer files) that also holds optimizer.safetensors (AdamW's moments and, in bf16 training, the master
// copies of the bf16 weights), trainer.json (where the run stands, its recipe, its tokenizer's and its data's
// identity) and checksums.json. Each appears complete or not at all.
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

namespace fathom {

// The files that go with a model so that it can read and write text.
struct TokenizerFolder {
  std::string path = {};           // whose files are copied; empty: there are none
  std::string chat_template = {};  // a Jinja file; empty: that of the folder, if it has one
};

// The newest whole checkpoint folder in `output`, if there is one. Newer ones with a file that is missing or
// cut off are passed over, with a warning that says why.
std::optional<std::string> latest_checkpoint(const std::string& output);
// The newest checkpoint folder with something in it, whole or not.
std::optional<std::string> any_checkpoint(const std::string& output);

// OUTPUT/step-00000123 for step 123.
std::string checkpoint_folder(const std::string& output, int64_t step);

// The checkpoint that a CheckpointWriter writes into the recipe's output, with the tokenizer's files; older ones are pruned then. Its slices are those of weight_files() and of
// optimizer_tensors(). After an Error (a full disk, say) nothing new is there and what was there before still
// is.
FolderContent checkpoint_content(const Recipe& recipe, const RunState& state, const Config& config,
                                 const TokenizerFolder& tokenizer);

// Its slices that this rank owns.
std::vector<TensorSlice> checkpoint_slices(const Optimizer& optimizer);

// A checkpoint made with other settings than the recipe's is refused: the error names every key that differs,
// with both values. The keys in `changes` may differ; the new value is logged.
void check_recipe(const std::string& checkpoint, const Recipe& recipe, const Config& config,
                  const std::vector<std::string>& changes);

// Fills the allocated model, which may be a part of the whole, and the optimizer. Every rank calls it; each
// verifies a share of the tensors and reads what it holds. Error naming the file, and the tensor or field,
// that is damaged or of another model.
RunState load_checkpoint(Communicator& ranks, const Device& device, const std::string& checkpoint,
                         Model& model, Optimizer& optimizer);

// Removes checkpoints of `output` until the newest `keep` >= 1 whole ones of the steps up to `newest` are
// left. What the user put into one of them stays.
void prune_checkpoints(const std::string& output, int64_t keep, int64_t newest);

// Writes a plain model folder with the tokenizer's files, replacing an earlier one in `dir`; other files
// there are kept. Every rank calls it with its slices, which together are the model's weights.
void save_model_folder(Communicator& ranks, const Device& device, const std::string& dir,
                       const Config& config, DType dtype, const std::vector<TensorSlice>& slices,
                       const TokenizerFolder& tokenizer);

// Removes what killed processes left in `output`.
void sweep_output(const std::string& output);

}  // namespace fathom
