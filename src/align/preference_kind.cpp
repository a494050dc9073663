#include "align/preference_kind.h"

#include "align/dpo_objective.h"
#include "align/reward_objective.h"

namespace fathom {

TrainingKind preference_kind(PreferenceData& data) {
  TrainingKind kind;
  kind.open_data = [&data](const Recipe& recipe, int threads) { return data.open(recipe, threads); };
  kind.make_objective = [&data](const Recipe& recipe) -> std::unique_ptr<Objective> {
    if (recipe.method == TrainingMethod::dpo) return std::make_unique<DpoObjective>(recipe, data);
    return std::make_unique<RewardObjective>(recipe, data);
  };
  return kind;
}

}  // namespace fathom
