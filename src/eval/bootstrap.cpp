#include "eval/bootstrap.h"

#include <algorithm>
#include <cmath>

#include "base/rng.h"
#include "base/threads.h"

namespace fathom {
namespace {

constexpr int64_t draws = 2000;
constexpr double z = 1.959963984540054;  // of 95%

double mean_of(const std::vector<ClusterSum>& clusters) {
  double sum = 0, count = 0;
  for (const ClusterSum& c : clusters) sum += c.sum, count += c.count;
  return sum / count;
}

double drawn_mean(const Strata& strata, Rng& rng) {
  double total = 0;
  for (const std::vector<ClusterSum>& clusters : strata) {
    double sum = 0, count = 0;
    for (size_t i = 0; i < clusters.size(); ++i) {
      const ClusterSum& c = clusters[rng.below(clusters.size())];
      sum += c.sum, count += c.count;
    }
    total += sum / count;
  }
  return total / static_cast<double>(strata.size());
}

// Wilson (1927), for as many trials as there are clusters.
void widen(const Strata& strata, MeanInterval& interval) {
  double n = 0;
  for (const std::vector<ClusterSum>& clusters : strata) n += static_cast<double>(clusters.size());
  const double p = std::clamp(interval.mean, 0.0, 1.0), scale = 1 / (1 + z * z / n);
  const double middle = (p + z * z / (2 * n)) * scale;
  const double half = z * std::sqrt(p * (1 - p) / n + z * z / (4 * n * n)) * scale;
  interval.low = std::max(middle - half, 0.0), interval.high = std::min(middle + half, 1.0);
  interval.error = half / z, interval.wilson = true;
}

}  // namespace

MeanInterval bootstrap(const Strata& strata, bool share, uint64_t seed, int threads) {
  MeanInterval interval;
  for (const std::vector<ClusterSum>& clusters : strata) interval.mean += mean_of(clusters);
  interval.mean /= static_cast<double>(strata.size());
  std::vector<double> means(draws);
  parallel_ranges(threads, draws, 1, [&](int, int64_t begin, int64_t end) {
    for (int64_t d = begin; d < end; ++d) {
      Rng rng(seed, static_cast<uint64_t>(d));
      means[static_cast<size_t>(d)] = drawn_mean(strata, rng);
    }
  });
  std::sort(means.begin(), means.end());
  interval.low = means[draws / 40], interval.high = means[draws - 1 - draws / 40];
  if (interval.low == interval.high && share) {
    widen(strata, interval);
    return interval;
  }
  double sum = 0, squares = 0;
  for (const double m : means) sum += m;
  for (const double m : means) squares += (m - sum / draws) * (m - sum / draws);
  interval.error = std::sqrt(squares / (draws - 1));
  return interval;
}

}  // namespace fathom
