// Settings that a recipe or a config.json gives and that have no effect on the run: each is said once, so
// that nobody waits for what does not come.
#pragma once
#include <string>
#include <vector>

#include "train/recipe.h"

namespace fathom {

// What the run's data decides.
struct ValidationData {
  bool own_shards = false;  // not a part of the training tokens
  bool any = false;
};

// One sentence for each.
std::vector<std::string> ignored_settings(const Recipe& recipe, const Config& config,
                                          const ValidationData& validation);

}  // namespace fathom
