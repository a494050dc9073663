// The training run of `fathom grpo`.
#pragma once
#include <optional>

#include "align/rollout_source.h"
#include "train/trainer.h"

namespace fathom {

// `task` is filled with what the recipe names, and must outlive the run.
TrainingKind grpo_kind(std::optional<GrpoTask>& task);

}  // namespace fathom
