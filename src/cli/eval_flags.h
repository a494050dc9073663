// What every evaluation is told: a model, a text, where to run.
#pragma once
#include <CLI/App.hpp>
#include <string>

#include "cli/model_flags.h"

namespace fathom {

struct EvalFlags : ModelFlags {
  std::string text, text_field = "text";
};

// `of_text`: what the text is for, in the help.
void add_eval_flags(CLI::App& command, EvalFlags& flags, const std::string& of_text);

}  // namespace fathom
