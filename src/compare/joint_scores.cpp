#include "compare/joint_scores.h"

#include <algorithm>

#include "compare/paired_tests.h"

namespace fathom {
namespace {

constexpr double z2 = 1.959963984540054 * 1.959963984540054;

bool scored_by_all(const std::vector<const ScoredItem*>& row, size_t metric) {
  return std::all_of(row.begin(), row.end(),
                     [&](const ScoredItem* item) { return item->weights[metric] > 0; });
}

// What each cluster adds to a run's mean of means.
std::vector<double> parts_of(const JointScores& scores) {
  std::vector<double> parts;
  for (const JointStratum& s : scores.strata) {
    double count = 0;
    for (const double c : s.counts) count += c;
    for (const double sum : s.sums) parts.push_back(sum / count / static_cast<double>(scores.strata.size()));
  }
  return parts;
}

// Where all clusters have the same difference the draws have no width. Of shares what could have been seen
// otherwise is at most Wilson's share of clusters of another kind: 0 of n, so up to z^2 / (n + z^2). Without
// a bound on what one cluster adds nothing can be said.
void widen(int64_t clusters, PairedDifference& d) {
  if (clusters < 2) {
    d.low = d.high = std::nullopt;
    return;
  }
  const double most = z2 / (static_cast<double>(clusters) + z2);
  d.low = std::max(d.difference - most, -1.0), d.high = std::min(d.difference + most, 1.0);
}

void count_discordant(const JointScores& scores, size_t a, size_t b, PairedDifference& d) {
  int64_t only_a = 0, only_b = 0;
  const JointStratum& s = scores.strata[0];
  for (size_t c = 0; c < s.counts.size(); ++c) {
    const double x = s.sums[c * scores.runs + a], y = s.sums[c * scores.runs + b];
    only_a += x > y, only_b += y > x;
  }
  d.only_first = only_a, d.only_second = only_b;
}

}  // namespace

std::vector<double> JointScores::means() const {
  std::vector<double> all(runs);
  for (const JointStratum& s : strata) {
    double count = 0;
    std::vector<double> sums(runs);
    for (size_t c = 0; c < s.counts.size(); ++c) {
      count += s.counts[c];
      for (size_t r = 0; r < runs; ++r) sums[r] += s.sums[c * runs + r];
    }
    for (size_t r = 0; r < runs; ++r) all[r] += sums[r] / count / static_cast<double>(strata.size());
  }
  return all;
}

JointScores joint_scores(const JoinedTask& task, size_t metric, const ItemGroups& groups,
                         const ItemGroups::Mean& mean) {
  JointScores scores;
  scores.runs = task.runs.size(), scores.single = mean.strata.size() == 1;
  for (const std::vector<size_t>& clusters : mean.strata) {
    JointStratum stratum;
    for (const size_t c : clusters) {
      double count = 0;
      std::vector<double> sums(scores.runs);
      int64_t in_cluster = 0;
      for (const size_t i : groups.clusters[c]) {
        if (!scored_by_all(task.items[i], metric)) continue;
        count += task.items[i][0]->weights[metric], ++in_cluster;
        for (size_t r = 0; r < scores.runs; ++r) {
          const double score = task.items[i][r]->scores[metric], weight = task.items[i][r]->weights[metric];
          sums[r] += score * weight;
          scores.zero_one = scores.zero_one && (score == 0 || score == 1) && weight == 1;
        }
      }
      if (in_cluster == 0) continue;
      scores.single = scores.single && in_cluster == 1;
      scores.items += in_cluster, ++scores.clusters;
      stratum.counts.push_back(count);
      stratum.sums.insert(stratum.sums.end(), sums.begin(), sums.end());
    }
    if (!stratum.counts.empty()) scores.strata.push_back(std::move(stratum));
  }
  return scores;
}

JointScores together(std::vector<JointScores> tasks) {
  JointScores all;
  all.runs = tasks[0].runs, all.single = false;
  for (JointScores& task : tasks) {
    all.items += task.items, all.clusters += task.clusters;
    for (JointStratum& s : task.strata) all.strata.push_back(std::move(s));
  }
  return all;
}

void compare_runs(const JointScores& scores, const std::vector<size_t>& runs, const MeasureSettings& settings,
                  Measure& measure) {
  measure.items = scores.items, measure.clusters = scores.clusters;
  if (scores.strata.empty()) return;
  const size_t n = scores.runs, models = measure.values.size();
  const std::vector<double> draws = joint_draws(scores.strata, n, settings.seed, settings.threads),
                            means = scores.means();
  const auto column = [&](auto&& of_draw) {
    std::vector<double> all(draws.size() / n);
    for (size_t d = 0; d < all.size(); ++d) all[d] = of_draw(&draws[d * n]);
    return all;
  };
  for (size_t r = 0; r < n; ++r) {
    if (measure.values[runs[r]]) continue;
    const MeanInterval i = interval_of_draws(column([&](const double* d) { return d[r]; }), means[r]);
    MeasuredValue value{i.mean, {}, {}, {}, scores.items};
    if (i.low < i.high) value.error = i.error, value.low = i.low, value.high = i.high;
    measure.values[runs[r]] = value;
  }
  const bool mcnemar = scores.zero_one && scores.single;
  std::optional<SignFlips> flips;
  if (!mcnemar && n > 1) flips.emplace(parts_of(scores), n, settings.seed, settings.threads);
  measure.test = mcnemar ? "exact McNemar" : flips ? flips->name() : "";
  measure.pairs.assign(models, std::vector<std::optional<PairedDifference>>(models));
  for (size_t a = 0; a < n; ++a)
    for (size_t b = a + 1; b < n; ++b) {
      PairedDifference d;
      const MeanInterval i = interval_of_draws(column([&](const double* draw) { return draw[b] - draw[a]; }),
                                               means[b] - means[a]);
      d.difference = i.mean, d.low = i.low, d.high = i.high;
      if (scores.zero_one && scores.single) count_discordant(scores, a, b, d);
      if (i.high - i.low <= 1e-12) widen(measure.unit == Unit::share ? scores.clusters : 0, d);
      d.p = mcnemar ? mcnemar_exact(*d.only_first, *d.only_second) : flips->p(a, b);
      measure.pairs[runs[a]][runs[b]] = d;
    }
}

}  // namespace fathom
