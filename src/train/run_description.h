// OUT/run.json: what a run was asked to do, for people and for tools like `fathom report`. Checkpoints have
// all of it too; this is there from the first step on.
#pragma once
#include <string>

#include "model/config.h"
#include "train/recipe.h"

namespace fathom {

void write_run_description(const std::string& output, const Recipe& recipe, const Config& config, int ranks);

}  // namespace fathom
