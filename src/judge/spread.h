// Mean, standard deviation (n - 1) and the mean's standard error.
#pragma once
#include <cmath>
#include <span>

namespace fathom {

struct Spread {
  double mean = 0, deviation = 0, error_of_mean = 0;  // the last two are 0 for fewer than two values
};

inline Spread spread_of(std::span<const double> values) {
  Spread s;
  const auto n = static_cast<double>(values.size());
  if (values.empty()) return s;
  for (const double v : values) s.mean += v / n;
  if (values.size() < 2) return s;
  double squares = 0;
  for (const double v : values) squares += (v - s.mean) * (v - s.mean);
  s.deviation = std::sqrt(squares / (n - 1));
  s.error_of_mean = s.deviation / std::sqrt(n);
  return s;
}

}  // namespace fathom
