// What a run saves of its model, in the form that others read: a Hugging Face model folder with the tokenizer's
// files, written by all ranks together, complete or not at all.
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

// Names of all files of such a folder.
FilePatterns saved_names();
// What a CheckpointWriter writes.
FolderContent saved_content(const std::string& dir, const Config& config, DType dtype,
                            const TokenizerFolder& tokenizer);

// Writes a plain model folder with the tokenizer's files, replacing an earlier one in `dir`; other files
// there are kept. Every rank calls it with its slices, which together are the model's weights.
void save_model_folder(Communicator& ranks, const Device& device, const std::string& dir,
                       const Config& config, DType dtype, const std::vector<TensorSlice>& slices,
                       const TokenizerFolder& tokenizer);

}  // namespace fathom
