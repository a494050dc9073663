// Logistic regression with soft targets and an L1 penalty, for few features and without an intercept.
#pragma once
#include <array>
#include <span>

namespace fathom {

constexpr int logistic_features = 3;
using LogisticWeights = std::array<double, logistic_features>;

struct LogisticRow {
  LogisticWeights features;
  double target;      // in [0, 1]
  double weight = 1;  // of its loss
};

double sigmoid(double x);
double logit_of(const LogisticWeights& weights, const LogisticWeights& features);

// The w that minimises |w|_1 + strength * sum over rows of weight * loss, where loss is the cross-entropy of
// target and sigmoid(w . features). To about 1e-9, by Newton steps on the smooth part.
LogisticWeights fit_logistic(std::span<const LogisticRow> rows, double strength);

// The mean of weight * loss.
double logistic_loss(std::span<const LogisticRow> rows, const LogisticWeights& weights);

}  // namespace fathom
