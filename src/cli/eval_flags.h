// What every evaluation is told: a model, a text, where to run.
#pragma once
#include <CLI/App.hpp>
#include <string>
#include <vector>

#include "model/model.h"
#include "text/tokenizer.h"

namespace fathom {

struct EvalFlags {
  std::string model, text, text_field = "text";
  std::string device = "cpu", dtype;  // dtype empty: what the model is stored in
  int threads = 0;
};

// `of_text`: what the text is for, in the help.
void add_eval_flags(CLI::App& command, EvalFlags& flags, const std::string& of_text);

// Error when the folder holds no whole model with a tokenizer.
Tokenizer load_tokenizer(const EvalFlags& flags);
Model load_model(const EvalFlags& flags, Device& device);

}  // namespace fathom
