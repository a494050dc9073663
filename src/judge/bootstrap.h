// How sure a mean is: a percentile bootstrap in which values that belong together are drawn together.
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "base/rng.h"

namespace fathom {

struct Interval {
  double low = 0, high = 0;
};

// 95%, of a statistic of data drawn again: `draw` makes one. Nothing where every draw gives the same: an
// interval without width would claim certainty.
std::optional<Interval> bootstrap_interval(int draws, const std::function<double(Rng&)>& draw,
                                           uint64_t seed = 1);

// 95%, of the mean over all values of `groups`, by 2000 draws of as many groups. Nothing for fewer than two
// groups.
std::optional<Interval> bootstrap_mean(std::span<const std::vector<double>> groups, uint64_t seed = 1);

}  // namespace fathom
