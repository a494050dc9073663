// What a mixture of sources means for each of them.
#pragma once
#include "train/recipe.h"
#include "train/trainer.h"

namespace fathom {

// Says how often each source was read, and will be in the whole run: a warning where that is too often.
// Nothing without weights.
void log_mixture(const Recipe& recipe, const Trainer& trainer);

}  // namespace fathom
