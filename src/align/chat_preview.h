// A conversation as it will be learned, for a person to look at before a run.
#pragma once
#include <string>

#include "train/recipe.h"

namespace fathom {

// Number `conversation`, counted from 1, of the files of data.train: its text, with what is learned between
// U+27E6 and U+27E7, and weights other than 1 before it. Error when there are fewer, or it cannot be used.
std::string chat_preview(const Recipe& recipe, int64_t conversation);

}  // namespace fathom
