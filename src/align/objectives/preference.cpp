#include "align/objectives/preference.h"

#include "align/objectives/logistic.h"
#include "base/error.h"

namespace fathom {
namespace {

struct Slope {
  double loss, by_margin;  // the loss, and its derivative by h
};

// weight times -log sigmoid(scale h)
Slope logistic(double h, double scale, double weight) {
  return {-weight * log_sigmoid(scale * h), -weight * scale * sigmoid(-scale * h)};
}

Slope loss_of_margin(double h, const PreferenceOptions& o) {
  const double smoothing = o.label_smoothing;
  switch (o.form) {
    case PreferenceForm::sigmoid: {
      const Slope right = logistic(h, o.beta, 1 - smoothing), swapped = logistic(h, -o.beta, smoothing);
      return {right.loss + swapped.loss, right.by_margin + swapped.by_margin};
    }
    case PreferenceForm::robust: {
      const double scale = 1 / (1 - 2 * smoothing);
      const Slope right = logistic(h, o.beta, scale * (1 - smoothing)),
                  swapped = logistic(h, -o.beta, scale * smoothing);
      return {right.loss - swapped.loss, right.by_margin - swapped.by_margin};
    }
    case PreferenceForm::ipo: {
      const double distance = h - 1 / (2 * o.beta);
      return {distance * distance, 2 * distance};
    }
    case PreferenceForm::hinge:
      break;
  }
  const double missing = 1 - o.beta * h;
  return missing <= 0 ? Slope{0, 0} : Slope{missing, -o.beta};
}

}  // namespace

std::string_view name_of(PreferenceForm form) {
  switch (form) {
    case PreferenceForm::sigmoid:
      return "sigmoid";
    case PreferenceForm::robust:
      return "robust";
    case PreferenceForm::ipo:
      return "ipo";
    case PreferenceForm::hinge:
      break;
  }
  return "hinge";
}

void check_options(const PreferenceOptions& o) {
  check(o.beta > 0 && std::isfinite(o.beta), "preference loss: beta is {}, which is not a positive number",
        o.beta);
  check(o.label_smoothing >= 0 && o.label_smoothing < 0.5,
        "preference loss: label_smoothing is {}, which is not in [0, 0.5)", o.label_smoothing);
  check(o.label_smoothing == 0 || o.form == PreferenceForm::sigmoid || o.form == PreferenceForm::robust,
        "preference loss: the form {} has no label_smoothing", name_of(o.form));
}

PreferenceLoss preference_loss(const PreferencePair& pair, const PreferenceOptions& options) {
  check(!options.per_token || (pair.chosen_tokens > 0 && pair.rejected_tokens > 0),
        "preference loss: a pair with answers of {} and {} tokens", pair.chosen_tokens, pair.rejected_tokens);
  const double chosen_share = options.per_token ? 1 / static_cast<double>(pair.chosen_tokens) : 1,
               rejected_share = options.per_token ? 1 / static_cast<double>(pair.rejected_tokens) : 1;
  const double chosen_ratio = pair.chosen - pair.reference_chosen,
               rejected_ratio = pair.rejected - pair.reference_rejected;
  const Slope slope = loss_of_margin(chosen_share * chosen_ratio - rejected_share * rejected_ratio, options);
  return {.loss = slope.loss,
          .dchosen = chosen_share * slope.by_margin,
          .drejected = -rejected_share * slope.by_margin,
          .chosen_reward = options.beta * chosen_ratio,
          .rejected_reward = options.beta * rejected_ratio};
}

void PreferenceTotals::add(const PreferenceLoss& pair) {
  add({.pairs = 1,
       .loss = pair.loss,
       .chosen_reward = pair.chosen_reward,
       .rejected_reward = pair.rejected_reward,
       .correct = pair.correct()});
}

void PreferenceTotals::add(const PreferenceTotals& other) {
  pairs += other.pairs;
  loss += other.loss;
  chosen_reward += other.chosen_reward;
  rejected_reward += other.rejected_reward;
  correct += other.correct;
}

}  // namespace fathom
