// Settings of a recipe that do not go together.
#pragma once
#include <string>

#include "train/recipe.h"

namespace fathom {

// Error naming `where` and the keys.
void check_together(const Recipe& recipe, const std::string& where);

}  // namespace fathom
