#include "judge/length_control.h"

#include <cmath>
#include <limits>

#include "judge/spread.h"

namespace fathom {
namespace {

constexpr int folds = 5;
constexpr int length_fits = 300;          // of the interval
constexpr double gamed_weight = 0.2 / 2;  // 0.2 for both of them

// The standard deviation of the length differences; 0 when it cannot be told.
double length_scale(std::span<const ComparedRow> rows) {
  std::vector<double> differences;
  for (const ComparedRow& row : rows)
    differences.push_back(static_cast<double>(row.baseline_length - row.model_length));
  return spread_of(differences).deviation;
}

// The gamed rows first, as upstream: which rows are one fold depends on the order.
std::vector<LogisticRow> training_rows(std::span<const ComparedRow> rows, const GamedBaseline& gamed,
                                       double scale) {
  std::vector<LogisticRow> all;
  const auto add = [&](double difference, int64_t index, double is_model, double target, double weight) {
    all.push_back(
        {{std::tanh(difference), gamed.difficulty.at(static_cast<size_t>(index)), is_model}, target, weight});
  };
  for (const GamedRow& row : gamed.rows)
    if (row.preference) add(row.length_difference, row.index, 0, *row.preference, gamed_weight);
  for (const ComparedRow& row : rows)
    if (row.preference)
      add(static_cast<double>(row.baseline_length - row.model_length) / scale, row.index, 1,
          *row.preference - 1, 1);
  return all;
}

// The loss of the rows that a fit has not seen, over all folds.
double validation_loss(std::span<const LogisticRow> rows, double strength) {
  double sum = 0;
  for (size_t fold = 0; fold < folds; ++fold) {
    std::vector<LogisticRow> seen, held_out;
    for (size_t i = 0; i < rows.size(); ++i) (i % folds == fold ? held_out : seen).push_back(rows[i]);
    sum += logistic_loss(held_out, fit_logistic(seen, strength));
  }
  return sum;
}

double best_strength(std::span<const LogisticRow> rows) {
  double best = 0, least = std::numeric_limits<double>::infinity();
  for (int k = 0; k < 10; ++k) {
    const double strength = std::pow(10.0, -4 + 8 * k / 9.0), loss = validation_loss(rows, strength);
    if (loss < least) least = loss, best = strength;
  }
  return best;
}

std::vector<ComparedRow> drawn_again(std::span<const ComparedRow> rows, Rng& rng) {
  std::vector<ComparedRow> drawn;
  for (size_t i = 0; i < rows.size(); ++i) drawn.push_back(rows[static_cast<size_t>(rng.below(rows.size()))]);
  return drawn;
}

}  // namespace

LengthControlled predict_at_equal_lengths(std::span<const ComparedRow> rows, const GamedBaseline& gamed,
                                          const LogisticWeights& weights) {
  std::vector<double> predictions;
  for (const ComparedRow& row : rows)
    predictions.push_back(
        100 * sigmoid(logit_of(weights, {0, gamed.difficulty.at(static_cast<size_t>(row.index)), 1})));
  const Spread spread = spread_of(predictions);
  return {.win_rate = spread.mean, .standard_error = spread.error_of_mean, .weights = weights};
}

std::optional<LengthControlled> control_length(std::span<const ComparedRow> rows,
                                               const GamedBaseline& gamed) {
  const double scale = length_scale(rows);
  if (!(scale > 0)) return std::nullopt;
  const std::vector<LogisticRow> training = training_rows(rows, gamed, scale);
  const double strength = best_strength(training);
  LengthControlled result = predict_at_equal_lengths(rows, gamed, fit_logistic(training, strength));
  result.strength = strength;
  result.interval = bootstrap_interval(length_fits, [&](Rng& rng) {
    const std::vector<ComparedRow> drawn = drawn_again(rows, rng);
    const LogisticWeights weights = fit_logistic(training_rows(drawn, gamed, scale), strength);
    return predict_at_equal_lengths(drawn, gamed, weights).win_rate;
  });
  return result;
}

}  // namespace fathom
