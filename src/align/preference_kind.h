// The training runs that learn from preferences: `fathom reward` and `fathom dpo`.
#pragma once
#include "align/preference_data.h"
#include "train/trainer.h"

namespace fathom {

// By the recipe's method. `data` must outlive the run.
TrainingKind preference_kind(PreferenceData& data);

}  // namespace fathom
