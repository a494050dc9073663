// What a run saves of its model, in the form that others read, with the tokenizer's files: a Hugging Face
// model folder; or of a model with adapters what is trained, an adapter's folder in PEFT's form. Written by
// all ranks together, complete or not at all.
#pragma once
#include <string>
#include <vector>

#include "comm/communicator.h"
#include "io/hidden_folder.h"
#include "model/config.h"
#include "train/checkpoint_writer.h"

namespace fathom {

// The files that go with a model so that it can read and write text.
struct TokenizerFolder {
  std::string path = {};           // whose files are copied; empty: there are none
  std::string chat_template = {};  // a Jinja file; empty: that of the folder, if it has one
};

struct SavedModel {
  Config config;
  DType dtype = DType::f32;
  std::string base = {};  // of an adapter: the folder or name of the model beneath
  TokenizerFolder tokenizer = {};
};

// Names of all files that such a folder may have.
FilePatterns saved_names();
// What a CheckpointWriter writes.
FolderContent saved_content(const std::string& dir, const SavedModel& model);

// Writes the folder, replacing an earlier one in `dir`; other files there are kept. Every rank calls it with
// its slices, which together are the tensors (Optimizer::weight_slices).
void save_model_folder(Communicator& ranks, const Device& device, const std::string& dir,
                       const SavedModel& model, const std::vector<TensorSlice>& slices);

}  // namespace fathom
