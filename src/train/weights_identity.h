// What tells the weights of one folder from those of another: adapters that were trained beside some mean
// nothing beside others.
#pragma once
#include <string>

#include "comm/communicator.h"
#include "train/recipe.h"
#include "train/run_state.h"

namespace fathom {

// Of all tensors of a checkpoint folder or .safetensors file: their names, types, shapes and bytes, however
// they are divided into files. Every rank calls it and reads a share of them.
std::string weights_identity(Communicator& ranks, const std::string& path, int threads);

// Where adapters are trained: Error when the model beneath, or the adapter that they began as, is another one
// than the checkpoint was made with. `now` has this run's.
void check_same_base(const std::string& checkpoint, const RunState& now, const Recipe& recipe);

}  // namespace fathom
