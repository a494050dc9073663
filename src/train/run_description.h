// OUT/run.json: what a run was asked to do, and how often it was rolled back, for people and for tools like
// `fathom report`. Checkpoints have all of it too; this is there from the first step on.
#pragma once
#include <string>
#include <vector>

#include "model/config.h"
#include "train/recipe.h"
#include "train/run_state.h"

namespace fathom {

void write_run_description(const std::string& output, const Recipe& recipe, const Config& config, int ranks,
                           const std::vector<RollBack>& rollbacks);

}  // namespace fathom
