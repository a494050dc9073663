#include "judge/bootstrap.h"

#include <algorithm>
#include <cmath>

namespace fathom {
namespace {

constexpr int draws_of_mean = 2000;

// Between the two nearest of sorted values.
double quantile(std::span<const double> sorted, double q) {
  const double at = q * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<size_t>(at);
  const size_t above = std::min(below + 1, sorted.size() - 1);
  return std::lerp(sorted[below], sorted[above], at - static_cast<double>(below));
}

}  // namespace

std::optional<Interval> bootstrap_interval(int draws, const std::function<double(Rng&)>& draw,
                                           uint64_t seed) {
  Rng rng(seed);
  std::vector<double> values;
  for (int i = 0; i < draws; ++i) values.push_back(draw(rng));
  std::sort(values.begin(), values.end());
  const Interval interval{quantile(values, 0.025), quantile(values, 0.975)};
  return interval.low < interval.high ? std::optional(interval) : std::nullopt;
}

std::optional<Interval> bootstrap_mean(std::span<const std::vector<double>> groups, uint64_t seed) {
  struct Sum {
    double value = 0, count = 0;
  };
  std::vector<Sum> sums;
  for (const std::vector<double>& group : groups) {
    Sum sum;
    for (const double v : group) sum.value += v, ++sum.count;
    if (sum.count > 0) sums.push_back(sum);
  }
  if (sums.size() < 2) return std::nullopt;
  const auto mean = [&](Rng& rng) {
    Sum sum;
    for (size_t i = 0; i < sums.size(); ++i) {
      const Sum& drawn = sums[static_cast<size_t>(rng.below(sums.size()))];
      sum.value += drawn.value, sum.count += drawn.count;
    }
    return sum.value / sum.count;
  };
  return bootstrap_interval(draws_of_mean, mean, seed);
}

}  // namespace fathom
