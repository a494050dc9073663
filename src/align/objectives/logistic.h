// The logistic function and its logarithm, for arguments of any size.
#pragma once
#include <algorithm>
#include <cmath>

namespace fathom {

// 1 / (1 + e^-x)
inline double sigmoid(double x) {
  const double e = std::exp(-std::abs(x));
  return (x < 0 ? e : 1) / (1 + e);
}

// log(1 / (1 + e^-x)); its derivative is sigmoid(-x).
inline double log_sigmoid(double x) {
  return std::min(x, 0.0) - std::log1p(std::exp(-std::abs(x)));
}

}  // namespace fathom
