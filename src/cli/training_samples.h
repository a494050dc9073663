// What a model in training writes: its weights as they are, through the engine.
#pragma once
#include <string>
#include <vector>

#include "model/model.h"
#include "train/recipe.h"

namespace fathom {

// A continuation of each of recipe.sample.prompts. The same weights give the same texts. Error when a prompt
// does not fit into the model's context.
std::vector<std::string> training_samples(Device& device, const Model& model, const Recipe& recipe,
                                          const std::string& tokenizer_folder);

}  // namespace fathom
