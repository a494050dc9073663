// Confidence intervals by the bootstrap (Efron 1979): clusters of items are drawn again, with replacement, and
// the mean is taken of each draw. Items of one cluster (questions on one passage) are drawn together.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

namespace fathom {

// Of one cluster: the sum of its items' scores, and their number (or, for a ratio, whatever the sum is over).
struct ClusterSum {
  double sum = 0, count = 0;
};

// A mean of means: of each stratum the mean of its items, then the mean of the strata. One stratum is the
// plain mean of items.
using Strata = std::vector<std::vector<ClusterSum>>;

struct MeanInterval {
  double mean = 0;
  double error = 0;          // the standard deviation of the mean
  double low = 0, high = 0;  // 95%
  bool wilson = false;       // the draws have no width: Wilson's interval for a share, by clusters
};

// `share`: whether scores lie in [0, 1], where an interval without a width becomes Wilson's. The same for a
// seed on any number of threads.
MeanInterval bootstrap(const Strata& strata, bool share, uint64_t seed, int threads);

// A stratum of several models that were asked the same: the same clusters, each with a sum for each model.
struct JointStratum {
  std::vector<double> counts;  // [clusters]
  std::vector<double> sums;    // [clusters, models]
};

// The means [draws, models] of 2000 draws of clusters, each the same for all models: the difference between
// two columns is the paired bootstrap's.
std::vector<double> joint_draws(std::span<const JointStratum> strata, size_t models, uint64_t seed,
                                int threads);

// Of a statistic's draws: its standard error, and the middle 95%.
MeanInterval interval_of_draws(std::vector<double> draws, double mean);

}  // namespace fathom
