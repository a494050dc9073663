// A reward model learns its scores from pairs of answers, or from single ones (align/objectives/reward_loss.h).
#pragma once
#include "align/objectives/reward_loss.h"
#include "align/preference_data.h"
#include "base/float16.h"
#include "train/objective.h"

namespace fathom {

class RewardObjective : public Objective {
 public:
  // The data must outlive it.
  RewardObjective(const Recipe& recipe, const PreferenceData& data);

  LossFunction loss(Device& device, const Model& model, const PassedBatch& batch, double scale) override;
  // accuracy (ties count as half), score (the mean of all), and of pairs margin.
  std::vector<Sum> take_sums() override;

 private:
  // Of the first row of a piece and, of a pair, of the second: the loss, and its derivatives by the scores.
  struct PieceLoss {
    double loss = 0, first = 0, second = 0;
  };
  PieceLoss pair_loss(double chosen, double rejected, const PieceLabel& label);
  PieceLoss point_loss(double score, const PieceLabel& label);

  const Recipe::Reward settings_;
  const PreferenceData& data_;
  // By every token's score, of the last loss(), in both types that a head may want it in.
  std::vector<float> gradient_;
  std::vector<bf16> rounded_;
  double correct_ = 0, score_ = 0, margin_ = 0;
};

}  // namespace fathom
