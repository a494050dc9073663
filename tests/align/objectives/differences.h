// Derivatives by central differences, the check of every analytic one.
#pragma once
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <vector>

namespace fathom::testing {

using Function = std::function<double(const std::vector<double>&)>;

// Good to h^2 and to rounding / h: about 1e-9 for values around 1.
inline void expect_derivatives(const std::vector<double>& analytic, std::vector<double> x, const Function& f,
                               const std::string& what) {
  ASSERT_EQ(analytic.size(), x.size()) << what;
  const double h = 1e-5;
  double difference = 0, norm = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    const double saved = x[i];
    x[i] = saved + h;
    const double up = f(x);
    x[i] = saved - h;
    const double numeric = (up - f(x)) / (2 * h);
    x[i] = saved;
    difference += (numeric - analytic[i]) * (numeric - analytic[i]), norm += numeric * numeric;
  }
  EXPECT_LE(std::sqrt(difference), 1e-7 * std::sqrt(norm) + 1e-9) << what;
}

}  // namespace fathom::testing
