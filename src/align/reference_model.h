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
  // The model folder `named`, or where that is empty the policy as it started; held in run.precision; for
  // micro-batches of the recipe. A policy with adapters started as the frozen weights that it stands on: they
  // are the reference's too, without a copy, beside a copy of the adapter that it started with, if it did.
  // The policy must outlive it.
  ReferenceModel(Device& device, const Model& policy, const std::string& named, const Recipe& recipe);

  // Of each target, 0 where it is ignored.
  std::vector<float> log_probs(const PackedBatch& packed, double temperature = 1);

  // Bytes of weights that are its own.
  int64_t weight_bytes() const { return model_.memory.used(); }

 private:
  Model model_;
  ScoringPass pass_;
};

}  // namespace fathom
