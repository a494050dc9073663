// Whether a run may go on from a checkpoint: with the settings that it was made with.
#pragma once
#include <string>
#include <vector>

#include "model/config.h"
#include "train/recipe.h"

namespace fathom {

// A checkpoint made with other settings than the recipe's is refused: the error names every key that differs,
// with both values. The keys in `changes` may differ; the new value is logged.
void check_recipe(const std::string& checkpoint, const Recipe& recipe, const Config& config,
                  const std::vector<std::string>& changes);

}  // namespace fathom
