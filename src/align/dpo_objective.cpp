#include "align/dpo_objective.h"

#include <algorithm>
#include <span>

#include "align/policy_head.h"
#include "base/error.h"

namespace fathom {
namespace {

PreferenceOptions options_of(const Recipe::Dpo& dpo) {
  PreferenceOptions options;
  const auto form = std::find_if(std::begin(preference_forms), std::end(preference_forms),
                                 [&](PreferenceForm f) { return name_of(f) == dpo.form; });
  check(form != std::end(preference_forms), "dpo.form is '{}': expected sigmoid, robust, ipo or hinge", dpo.form);
  options.form = *form, options.beta = dpo.beta, options.label_smoothing = dpo.label_smoothing;
  options.per_token = dpo.per_token;
  check_options(options);
  return options;
}

// Of sequence b.
double sum_of(std::span<const float> values, const PackedBatch& packed, size_t b) {
  const auto begin = static_cast<size_t>(packed.batch.sequence_starts[b]),
             end = static_cast<size_t>(packed.batch.sequence_starts[b + 1]);
  double sum = 0;
  for (size_t n = begin; n < end; ++n) sum += static_cast<double>(values[n]);
  return sum;
}

int64_t targets_of(const PackedBatch& packed, size_t b) {
  const auto first = packed.targets.begin() + packed.batch.sequence_starts[b],
             end = packed.targets.begin() + packed.batch.sequence_starts[b + 1];
  return std::count_if(first, end, [](int32_t target) { return target >= 0; });
}

void fill(std::vector<float>& values, const PackedBatch& packed, size_t b, double value) {
  const auto first = values.begin() + packed.batch.sequence_starts[b],
             end = values.begin() + packed.batch.sequence_starts[b + 1];
  std::fill(first, end, static_cast<float>(value));
}

}  // namespace

DpoObjective::DpoObjective(const Recipe& recipe, const PreferenceData& data)
    : recipe_(recipe), options_(options_of(recipe.dpo)), data_(data) {
  check(!recipe.dpo.reference.empty() || !recipe.model.init_from.empty(),
        "fathom dpo needs a reference: give model.init_from, or dpo.reference");
}

std::vector<DpoObjective::Sums> DpoObjective::reference_sums(Device& device, const Model& policy,
                                                             const PackedBatch& packed) {
  known_.resize(static_cast<size_t>(data_.count()));
  const size_t pairs = packed.rows.size() / 2;
  const auto known = [&](size_t pair) -> std::optional<Sums>& {
    return known_[static_cast<size_t>(packed.rows[2 * pair])];
  };
  bool all = true;
  for (size_t pair = 0; pair < pairs; ++pair) all = all && known(pair).has_value();
  if (!all) {
    if (!reference_) reference_.emplace(device, policy, recipe_.dpo.reference, recipe_);
    const std::vector<float> values = reference_->log_probs(packed);
    for (size_t pair = 0; pair < pairs; ++pair)
      known(pair) = {sum_of(values, packed, 2 * pair), sum_of(values, packed, 2 * pair + 1)};
  }
  std::vector<Sums> sums;
  for (size_t pair = 0; pair < pairs; ++pair) sums.push_back(*known(pair));
  return sums;
}

LossFunction DpoObjective::loss(Device& device, const Model& model, const PassedBatch& batch, double scale) {
  const PackedBatch& packed = batch.packed;
  const std::vector<Sums> reference = reference_sums(device, model, packed);
  const std::vector<float> values = target_log_probs(device, model, batch, 1).values;
  std::vector<float> dlogp(values.size()), losses(values.size());
  for (size_t pair = 0; pair < reference.size(); ++pair) {
    const size_t chosen = 2 * pair, rejected = chosen + 1;
    const double weight = data_.label(packed.rows[chosen]).weight;
    const PreferenceLoss l = preference_loss({.chosen = sum_of(values, packed, chosen),
                                              .rejected = sum_of(values, packed, rejected),
                                              .reference_chosen = reference[pair].chosen,
                                              .reference_rejected = reference[pair].rejected,
                                              .chosen_tokens = targets_of(packed, chosen),
                                              .rejected_tokens = targets_of(packed, rejected)},
                                             options_);
    fill(dlogp, packed, chosen, weight * l.dchosen), fill(dlogp, packed, rejected, weight * l.drejected);
    losses[static_cast<size_t>(packed.batch.sequence_starts[chosen])] = static_cast<float>(weight * l.loss);
    correct_ += weight * l.correct();
    chosen_reward_ += weight * l.chosen_reward, rejected_reward_ += weight * l.rejected_reward;
  }
  return policy_gradient(device, batch, dlogp, losses, scale, 1);
}

std::vector<Objective::Sum> DpoObjective::take_sums() {
  std::vector<Sum> sums = {{"accuracy", correct_},
                           {"margin", chosen_reward_ - rejected_reward_},
                           {"chosen_reward", chosen_reward_},
                           {"rejected_reward", rejected_reward_}};
  correct_ = chosen_reward_ = rejected_reward_ = 0;
  return sums;
}

}  // namespace fathom
