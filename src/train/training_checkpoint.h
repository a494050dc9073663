// Training checkpoints: OUTPUT/step-00000123/ is a Hugging Face model folder (config.json, model.safetensors,
// tokenizer files) that also holds optimizer.safetensors (AdamW's moments and, in bf16 training, the master
// copies of the bf16 weights) and trainer.json (where the run stands, and its recipe). Each appears complete
// or not at all.
#pragma once
#include <cstdint>
#include <optional>
#include <string>

#include "model/model.h"
#include "train/optimizer.h"
#include "train/recipe.h"

namespace fathom {

// What a run needs besides tensors to go on exactly where it stood.
struct RunState {
  int64_t step = 0;          // steps done
  int64_t tokens = 0;        // tokens learnt from
  int64_t windows_read = 0;  // of the data loader
  int64_t data_tokens = 0;   // size of the training data, to know it again
};

// The newest checkpoint folder in `output`, if there is one.
std::optional<std::string> latest_checkpoint(const std::string& output);

// OUTPUT/step-00000123 for step 123.
std::string checkpoint_folder(const std::string& output, int64_t step);

// Writes checkpoint_folder(), with the tokenizer files found in tokenizer_dir. After an
// Error (a full disk, say) nothing new is there and what was there before still is.
void save_checkpoint(const Device& device, const std::string& output, const Recipe& recipe,
                     const RunState& state, const Model& model, const Optimizer& optimizer,
                     const std::string& tokenizer_dir);

// Fills the allocated model and optimizer. Error naming the file or field when the checkpoint is damaged, of
// another model, or made with a recipe that differs in anything that shapes the result.
RunState load_checkpoint(const Device& device, const std::string& checkpoint, const Recipe& recipe,
                         Model& model, Optimizer& optimizer);

// Removes all but the newest `keep` >= 1 checkpoints of `output`. What the user put into one of them stays.
void prune_checkpoints(const std::string& output, int64_t keep);

// Writes a plain model folder with the tokenizer's files, replacing an earlier one in `dir`; other files
// there are kept.
void save_model_folder(const Device& device, const std::string& dir, const Model& model,
                       const std::string& tokenizer_dir);

// Removes what killed processes left in `output`.
void sweep_output(const std::string& output);

}  // namespace fathom
