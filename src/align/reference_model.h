// A frozen model beside the one that is trained, for the log-probabilities of what that one learns from.
#pragma once
#include <string>
#include <vector>

#include "model/model_folder.h"
#include "model/scoring_pass.h"
#include "train/packed_step.h"
#include "train/recipe.h"

namespace fathom {

class ReferenceModel {
 public:
  // A model folder, held in run.precision; for micro-batches of the recipe.
  ReferenceModel(Device& device, const std::string& folder, const Recipe& recipe);

  // Of each target, 0 where it is ignored.
  std::vector<float> log_probs(const PackedBatch& packed, double temperature = 1);

 private:
  Model model_;
  ScoringPass pass_;
};

}  // namespace fathom
