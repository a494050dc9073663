// Which model a command works with, and where it runs.
#pragma once
#include <CLI/App.hpp>
#include <string>

#include "model/model.h"
#include "text/tokenizer.h"

namespace fathom {

struct ModelFlags {
  std::string model, device = "cpu", dtype;  // dtype empty: what the model is stored in
  std::string adapter;                       // empty: none
  int threads = 0;
};

// The model folder comes as an argument, before other arguments of the command.
void add_model_flags(CLI::App& command, ModelFlags& flags);

// The folder that tokenizer and chat template come from: the adapter's where it brings them, else the
// model's.
std::string text_folder(const ModelFlags& flags);
// Error when the folders hold no whole model with a tokenizer.
Tokenizer load_tokenizer(const ModelFlags& flags);
// Error, before anything is read of its weights, for a model that scores texts and generates none.
Model load_model(const ModelFlags& flags, Device& device);

}  // namespace fathom
