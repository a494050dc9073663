// What `fathom train` says of memory: before the first step what the plan needs, at the end beside it what
// the ranks have taken.
#pragma once
#include <string>
#include <vector>

#include "train/event_file.h"
#include "train/trainer.h"

namespace fathom {

// Of the rank that needs most.
std::string planned_memory_text(const Recipe& recipe, Trainer& trainer);

// Of the rank that has taken most. Every rank calls it.
std::string taken_memory_text(const Recipe& recipe, Trainer& trainer);

// For the metrics, in bytes, of the rank that has most: host_memory, the highest peak of a process so far,
// and gpu_memory, what is in use on its GPU. Every rank calls it.
void append_memory_values(Trainer& trainer, std::vector<NamedValue>& values);

}  // namespace fathom
