// What `fathom train` says of memory: before the first step what the plan needs, at the end beside it what
// the ranks have taken.
#pragma once
#include <string>

#include "train/trainer.h"

namespace fathom {

// Of the rank that needs most.
std::string planned_memory_text(const Recipe& recipe, Trainer& trainer);

// Of the rank that has taken most. Every rank calls it.
std::string taken_memory_text(const Recipe& recipe, Trainer& trainer);

}  // namespace fathom
