#include "align/grpo_objective.h"

#include <algorithm>
#include <cmath>

#include "align/policy_head.h"
#include "base/error.h"
#include "base/log.h"

namespace fathom {
namespace {

// The sampled tokens of sequence b: where they are targets.
struct Sampled {
  size_t first, count;  // places in the batch
};
Sampled sampled_of(const PackedBatch& packed, size_t b, const Answer& answer) {
  const auto begin = static_cast<size_t>(packed.batch.sequence_starts[b]);
  return {begin + static_cast<size_t>(answer.prompt_length) - 1, static_cast<size_t>(answer.sampled_tokens())};
}

std::vector<double> part(const std::vector<float>& values, const Sampled& s) {
  const auto first = values.begin() + static_cast<std::ptrdiff_t>(s.first);
  return {first, first + static_cast<std::ptrdiff_t>(s.count)};
}

}  // namespace

GrpoOptions grpo_options(const Recipe& r) {
  const Recipe::Grpo& g = r.grpo;
  GrpoOptions options;
  const auto form = std::find_if(std::begin(grpo_forms), std::end(grpo_forms),
                                 [&](GrpoForm f) { return name_of(f) == g.form; });
  std::string names;
  for (const GrpoForm f : grpo_forms) names += (names.empty() ? "" : ", ") + std::string(name_of(f));
  check(form != std::end(grpo_forms), "grpo.form is '{}': expected one of {}", g.form, names);
  options.form = *form;
  options.clip_low = g.clip_low, options.clip_high = g.clip_high, options.beta = g.beta;
  options.length = options.form == GrpoForm::dr_grpo ? static_cast<double>(g.length > 0 ? g.length : g.max_tokens) : 0;
  options.mask_truncated = g.mask_truncated;
  check_options(options);
  return options;
}

GrpoObjective::GrpoObjective(const Recipe& recipe) : recipe_(recipe), options_(grpo_options(recipe)) {
  check(options_.beta == 0 || !recipe.grpo.reference.empty() || !recipe.model.init_from.empty(),
        "grpo.beta = {:g} needs a reference: give model.init_from, or grpo.reference", options_.beta);
}

void GrpoObjective::begin_step(std::span<Answer> answers, const GrpoCounts& step, bool fresh) {
  answers_ = answers, step_ = step, fresh_ = fresh;
}

// Once for each answer: a later pass over it has them.
void GrpoObjective::read_reference(Device& device, const Model& policy, const PackedBatch& packed) {
  const auto answer = [&](size_t b) -> Answer& { return answers_[static_cast<size_t>(packed.rows[b])]; };
  bool all = true;
  for (size_t b = 0; b < packed.rows.size(); ++b) all = all && !answer(b).reference.empty();
  if (all) return;
  if (!reference_) reference_.emplace(device, policy, recipe_.grpo.reference, recipe_);
  const std::vector<float> values = reference_->log_probs(packed, recipe_.grpo.temperature);
  for (size_t b = 0; b < packed.rows.size(); ++b)
    answer(b).reference = part(values, sampled_of(packed, b, answer(b)));
}

// The engine that samples and the pass that trains are one model, but not one arithmetic.
void GrpoObjective::compare(const Answer& answer, std::span<const double> current) {
  for (size_t t = 0; t < current.size() && t < answer.sampled.size(); ++t) {
    const double gap = std::abs(current[t] - answer.sampled[t]);
    gap_ += gap, ++compared_, largest_gap_ = std::max(largest_gap_, gap);
  }
}

LossFunction GrpoObjective::loss(Device& device, const Model& model, const PassedBatch& batch, double scale) {
  const PackedBatch& packed = batch.packed;
  if (options_.beta != 0) read_reference(device, model, packed);
  const TargetLogProbs probs = target_log_probs(device, model, batch, recipe_.grpo.temperature, true);
  const size_t n = packed.rows.size();
  std::vector<std::vector<double>> current(n), dlogp(n);
  std::vector<GrpoAnswer> parts(n);
  for (size_t b = 0; b < n; ++b) {
    const Answer& answer = answers_[static_cast<size_t>(packed.rows[b])];
    current[b] = part(probs.values, sampled_of(packed, b, answer));
    dlogp[b].resize(current[b].size());
    parts[b] = {.advantage = answer.advantage,
                .current = current[b],
                .old = answer.old,
                .reference = answer.reference,
                .mask = {},
                .truncated = answer.truncated,
                .dlogp = dlogp[b]};
    if (fresh_) compare(answer, current[b]);
  }
  const GrpoTotals totals = grpo_loss(parts, options_, step_);
  totals_.add(totals);
  std::vector<float> gradient(probs.values.size()), losses(probs.values.size());
  for (size_t b = 0; b < n; ++b) {
    const Sampled s = sampled_of(packed, b, answers_[static_cast<size_t>(packed.rows[b])]);
    for (size_t t = 0; t < s.count; ++t) {
      gradient[s.first + t] = static_cast<float>(dlogp[b][t]);
      entropy_ += static_cast<double>(probs.entropies[s.first + t]);
    }
    tokens_ += static_cast<int64_t>(s.count);
  }
  if (!losses.empty()) losses[0] = static_cast<float>(totals.loss);
  return policy_gradient(device, batch, gradient, losses, scale, recipe_.grpo.temperature);
}

std::vector<Objective::Sum> GrpoObjective::take_sums() {
  const auto share = [](double sum, int64_t n) { return n > 0 ? sum / static_cast<double>(n) : 0; };
  std::vector<Sum> sums = {{"policy_loss", totals_.policy_loss},
                           {"kl", totals_.mean_kl()},
                           {"ratio", totals_.mean_ratio()},
                           {"clipped_low", totals_.low_share()},
                           {"clipped_high", totals_.high_share()},
                           {"entropy", share(entropy_, tokens_)}};
  if (compared_ > 0) {
    sums.push_back({"engine_gap", share(gap_, compared_)});
    sums.push_back({"engine_gap_largest", largest_gap_});
    if (recipe_.grpo.gap_alarm > 0 && largest_gap_ > recipe_.grpo.gap_alarm)
      log::warn("a token's log-probability in training is {:.3f} from the engine's, which sampled it; "
                "grpo.gap_alarm is {:g}",
                largest_gap_, recipe_.grpo.gap_alarm);
  }
  sums.insert(sums.end(), extra_.begin(), extra_.end());
  totals_ = {}, extra_.clear();
  entropy_ = gap_ = largest_gap_ = 0, tokens_ = compared_ = 0;
  return sums;
}

}  // namespace fathom
