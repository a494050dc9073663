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

// The means of one draw, added to `means`, with room for sums in `scratch`; both [models].
void draw_means(std::span<const JointStratum> strata, Rng& rng, std::vector<double>& scratch, double* means) {
  const size_t models = scratch.size();
  for (const JointStratum& s : strata) {
    std::fill(scratch.begin(), scratch.end(), 0.0);
    double count = 0;
    for (size_t i = 0; i < s.counts.size(); ++i) {
      const size_t c = rng.below(s.counts.size());
      for (size_t m = 0; m < models; ++m) scratch[m] += s.sums[c * models + m];
      count += s.counts[c];
    }
    for (size_t m = 0; m < models; ++m) means[m] += scratch[m] / count;
  }
  for (size_t m = 0; m < models; ++m) means[m] /= static_cast<double>(strata.size());
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

std::vector<double> joint_draws(std::span<const JointStratum> strata, size_t models, uint64_t seed,
                                int threads) {
  std::vector<double> means(static_cast<size_t>(draws) * models);
  parallel_ranges(threads, draws, 1, [&](int, int64_t begin, int64_t end) {
    std::vector<double> scratch(models);
    for (int64_t d = begin; d < end; ++d) {
      Rng rng(seed, static_cast<uint64_t>(d));
      draw_means(strata, rng, scratch, &means[static_cast<size_t>(d) * models]);
    }
  });
  return means;
}

MeanInterval interval_of_draws(std::vector<double> all, double mean) {
  std::sort(all.begin(), all.end());
  const size_t n = all.size();
  MeanInterval interval{.mean = mean, .low = all[n / 40], .high = all[n - 1 - n / 40]};
  double sum = 0, squares = 0;
  for (const double m : all) sum += m;
  for (const double m : all)
    squares += (m - sum / static_cast<double>(n)) * (m - sum / static_cast<double>(n));
  interval.error = std::sqrt(squares / static_cast<double>(n - 1));
  return interval;
}

MeanInterval bootstrap(const Strata& strata, bool share, uint64_t seed, int threads) {
  double mean = 0;
  std::vector<JointStratum> joint;
  for (const std::vector<ClusterSum>& clusters : strata) {
    mean += mean_of(clusters);
    JointStratum& s = joint.emplace_back();
    for (const ClusterSum& c : clusters) s.sums.push_back(c.sum), s.counts.push_back(c.count);
  }
  mean /= static_cast<double>(strata.size());
  MeanInterval interval = interval_of_draws(joint_draws(joint, 1, seed, threads), mean);
  if (interval.low == interval.high && share) widen(strata, interval);
  return interval;
}

}  // namespace fathom
