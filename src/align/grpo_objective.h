// GRPO: the policy's own answers become more or less likely, by their advantages (align/objectives/grpo.h).
#pragma once
#include <optional>
#include <span>

#include "align/objectives/grpo.h"
#include "align/reference_model.h"
#include "align/rollout.h"
#include "train/objective.h"

namespace fathom {

class GrpoObjective : public Objective {
 public:
  explicit GrpoObjective(const Recipe& recipe);

  // The answers of the next step, by the numbers that PackedBatch::rows has; they outlive it. `fresh`: the
  // policy has not changed since it gave them, so that its log-probabilities must be the engine's.
  void begin_step(std::span<Answer> answers, const GrpoCounts& step, bool fresh);
  // Adds to what take_sums() gives.
  void add(const std::string& name, double value) { extra_.push_back({name, value}); }

  LossFunction loss(Device& device, const Model& model, const PassedBatch& batch, double scale) override;
  // Of the step: policy_loss, kl, ratio, clipped_low, clipped_high, entropy, and where the policy is fresh how
  // far its log-probabilities are from the engine's; then what was added.
  std::vector<Sum> take_sums() override;

  const GrpoOptions& options() const { return options_; }

 private:
  void read_reference(Device& device, const Model& policy, const PackedBatch& packed);
  void compare(const Answer& answer, std::span<const double> current);

  const Recipe recipe_;
  const GrpoOptions options_;
  std::span<Answer> answers_;
  GrpoCounts step_;
  bool fresh_ = false;
  std::optional<ReferenceModel> reference_;

  GrpoTotals totals_;
  double entropy_ = 0, gap_ = 0, largest_gap_ = 0;
  int64_t tokens_ = 0, compared_ = 0;
  std::vector<Sum> extra_;
};

// The options of a recipe. Error naming the key for what cannot be.
GrpoOptions grpo_options(const Recipe& recipe);

}  // namespace fathom
