// Whether a checkpoint is of a model, from what its files say of their tensors: no data is read.
#pragma once
#include "io/checkpoint.h"
#include "model/config.h"

namespace fathom {

// Throws Error unless the checkpoint holds the tensors that a model of this config has, each in its shape and
// of a float type, and no others. The first fault is named with its file, and how many more there are.
void check_checkpoint(const Config& config, const CheckpointReader& checkpoint);

}  // namespace fathom
