#include "align/objectives/reward_loss.h"

#include "align/objectives/logistic.h"
#include "base/error.h"

namespace fathom {
namespace {

// 1 where `difference` is positive, 1/2 where it is 0. NaN is on no side.
double positive(double difference) {
  return difference > 0 ? 1 : difference == 0 ? 0.5 : 0;
}

}  // namespace

RewardPairLoss reward_pair_loss(const RewardPair& pair, double centring) {
  check(!pair.tie || pair.margin == 0, "reward pair: a tie with the margin {}", pair.margin);
  const double difference = pair.chosen - pair.rejected, sum = pair.chosen + pair.rejected;
  const double d = difference - pair.margin, label = pair.tie ? 0.5 : 1;
  // Its derivative by d: -label (1 - sigmoid(d)) + (1 - label) sigmoid(d)
  const double slope = (1 - label) * sigmoid(d) - label * sigmoid(-d), centre = 2 * centring * sum;
  const double swapped = pair.tie ? (1 - label) * log_sigmoid(-d) : 0;
  return {.loss = centring * sum * sum - label * log_sigmoid(d) - swapped,
          .dchosen = centre + slope,
          .drejected = centre - slope,
          .correct = pair.tie ? std::nullopt : std::optional(positive(difference))};
}

RewardPointLoss reward_point_loss(double score, double label, PointForm form) {
  if (form == PointForm::squared) {
    const double distance = score - label;
    return {.loss = distance * distance, .dscore = 2 * distance, .correct = std::nullopt};
  }
  check(label >= 0 && label <= 1, "reward model: the label {} is not in [0, 1]", label);
  return {.loss = -label * log_sigmoid(score) - (1 - label) * log_sigmoid(-score),
          .dscore = sigmoid(score) - label,
          .correct = label == 0.5 ? std::nullopt : std::optional(positive(label > 0.5 ? score : -score))};
}

void Agreement::add(std::optional<double> one) {
  if (one) ++judged, correct += *one;
}

void Agreement::add(const Agreement& other) {
  judged += other.judged;
  correct += other.correct;
}

}  // namespace fathom
