// DPO: a policy learns preferences from pairs of answers, against a frozen reference (align/objectives/preference.h).
#pragma once
#include <optional>

#include "align/objectives/preference.h"
#include "align/preference_data.h"
#include "align/reference_model.h"
#include "train/objective.h"

namespace fathom {

class DpoObjective : public Objective {
 public:
  // The data must outlive it.
  DpoObjective(const Recipe& recipe, const PreferenceData& data);

  LossFunction loss(Device& device, const Model& model, const PassedBatch& batch, double scale) override;
  // accuracy, margin, chosen_reward and rejected_reward.
  std::vector<Sum> take_sums() override;

 private:
  struct Sums {
    double chosen = 0, rejected = 0;
  };
  // Of a batch's pairs; computed once for each.
  std::vector<Sums> reference_sums(Device& device, const Model& policy, const PackedBatch& packed);

  const Recipe recipe_;
  const PreferenceOptions options_;
  const PreferenceData& data_;
  std::optional<ReferenceModel> reference_;
  std::vector<std::optional<Sums>> known_;  // by piece
  double correct_ = 0, chosen_reward_ = 0, rejected_reward_ = 0;
};

}  // namespace fathom
