#include "judge/logistic.h"

#include <algorithm>
#include <cmath>

namespace fathom {
namespace {

constexpr size_t K = logistic_features;

// log(1 + exp(x)), for any x.
double softplus(double x) {
  return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x)));
}

double loss_of(const LogisticRow& row, double logit) {
  return row.weight * (row.target * softplus(-logit) + (1 - row.target) * softplus(logit));
}

double norm(const LogisticWeights& w) {
  double sum = 0;
  for (const double x : w) sum += std::abs(x);
  return sum;
}

double objective(std::span<const LogisticRow> rows, double strength, const LogisticWeights& w) {
  double sum = 0;
  for (const LogisticRow& row : rows) sum += loss_of(row, logit_of(w, row.features));
  return norm(w) + strength * sum;
}

// The smooth part around a point: its gradient and Hessian.
struct Quadratic {
  LogisticWeights gradient{};
  std::array<LogisticWeights, K> hessian{};

  Quadratic(std::span<const LogisticRow> rows, double strength, const LogisticWeights& w) {
    for (const LogisticRow& row : rows) {
      const double p = sigmoid(logit_of(w, row.features)), scale = strength * row.weight;
      for (size_t i = 0; i < K; ++i) {
        gradient[i] += scale * (p - row.target) * row.features[i];
        for (size_t j = 0; j < K; ++j)
          hessian[i][j] += scale * p * (1 - p) * row.features[i] * row.features[j];
      }
    }
    // A feature that is 0 in all rows leaves its weight where the penalty wants it.
    for (size_t i = 0; i < K; ++i) hessian[i][i] += 1e-12;
  }

  // The step d that minimises gradient . d + d' hessian d / 2 + |w + d|_1, coordinate by coordinate.
  LogisticWeights step(const LogisticWeights& w) const {
    LogisticWeights d{};
    for (int sweep = 0; sweep < 1000; ++sweep) {
      double moved = 0;
      for (size_t i = 0; i < K; ++i) {
        double slope = gradient[i];
        for (size_t j = 0; j < K; ++j) slope += hessian[i][j] * d[j];
        const double free = w[i] + d[i] - slope / hessian[i][i], threshold = 1 / hessian[i][i];
        const double kept = std::copysign(std::max(std::abs(free) - threshold, 0.0), free);
        moved = std::max(moved, std::abs(kept - w[i] - d[i]));
        d[i] = kept - w[i];
      }
      if (moved < 1e-13) break;
    }
    return d;
  }
};

LogisticWeights moved_by(const LogisticWeights& w, const LogisticWeights& d, double part) {
  LogisticWeights sum;
  for (size_t i = 0; i < K; ++i) sum[i] = w[i] + part * d[i];
  return sum;
}

}  // namespace

double sigmoid(double x) {
  return x >= 0 ? 1 / (1 + std::exp(-x)) : std::exp(x) / (1 + std::exp(x));
}

double logit_of(const LogisticWeights& weights, const LogisticWeights& features) {
  double sum = 0;
  for (size_t i = 0; i < K; ++i) sum += weights[i] * features[i];
  return sum;
}

LogisticWeights fit_logistic(std::span<const LogisticRow> rows, double strength) {
  LogisticWeights w{};
  double value = objective(rows, strength, w);
  for (int iteration = 0; iteration < 200; ++iteration) {
    const LogisticWeights d = Quadratic(rows, strength, w).step(w);
    double largest = 0;
    for (const double x : d) largest = std::max(largest, std::abs(x));
    if (largest < 1e-9) break;
    double part = 1;
    LogisticWeights next = moved_by(w, d, part);
    double next_value = objective(rows, strength, next);
    while (next_value > value && part > 1e-10) {
      part /= 2;
      next = moved_by(w, d, part);
      next_value = objective(rows, strength, next);
    }
    if (next_value >= value) break;  // rounding is all that is left
    w = next, value = next_value;
  }
  return w;
}

double logistic_loss(std::span<const LogisticRow> rows, const LogisticWeights& weights) {
  double sum = 0;
  for (const LogisticRow& row : rows) sum += loss_of(row, logit_of(weights, row.features));
  return rows.empty() ? 0 : sum / static_cast<double>(rows.size());
}

}  // namespace fathom
