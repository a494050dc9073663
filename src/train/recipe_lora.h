// The [lora] section of a recipe: adapters that are trained in place of a model's weights.
#pragma once
#include <string>

#include "train/recipe.h"

namespace fathom {

// Error naming `where` and the keys that do not go together.
void check_lora(const Recipe& recipe, const std::string& where);

// Error, saying how it is meant, where the folder to start from holds an adapter.
void check_no_adapter(const std::string& init_from);

// The model of model.init_from with the recipe's adapters: new ones, or those of lora.init_from, and a score
// head that these bring. Error naming the key for targets that the model lacks, and for a `config` that is
// not that model's own: an adapter stands beside the weights that others have.
Config with_adapters(const Recipe& recipe, const Config& config);

}  // namespace fathom
