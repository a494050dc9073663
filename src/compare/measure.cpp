#include "compare/measure.h"

#include <fmt/format.h>

#include <algorithm>

#include "compare/joint_scores.h"
#include "compare/paired_tests.h"

namespace fathom {
namespace {

ItemGroups groups_of(const JoinedTask& task) {
  std::vector<ItemPlace> places;
  for (const auto& row : task.items) places.push_back(row[0]->place);
  ItemGroups groups = item_groups(places, task.of_run[0]->plan);
  if (task.left_out == 0 || task.of_run[0]->judged) return groups;
  // Some of the items are not what the results' averages are over, and have names of their own.
  groups.means.resize(task.of_run[0]->plan.has_subjects ? 2 : 1);
  groups.means[0].over = "common items";
  if (groups.means.size() > 1) groups.means[1].over = "subjects of common items";
  return groups;
}

std::optional<MeasuredValue> reported(const ScoredTask& task, const std::string& metric,
                                      const std::string& over) {
  for (const ReportedMean& m : task.means)
    if (m.metric == metric && m.over == over) {
      MeasuredValue value{m.value, m.error, m.low, m.high, m.items};
      if (!m.low || !(*m.low < *m.high)) value.error = value.low = value.high = std::nullopt;
      return value;
    }
  return std::nullopt;
}

// A metric averaged over something, in the order of the first run that has it.
std::vector<std::pair<std::string, std::string>> averages_of(const JoinedTask& task,
                                                             const ItemGroups& groups) {
  std::vector<std::pair<std::string, std::string>> all;
  const auto add = [&](const std::string& metric, const std::string& over) {
    if (std::find(all.begin(), all.end(), std::pair(metric, over)) == all.end())
      all.emplace_back(metric, over);
  };
  for (const ScoredTask* run : task.of_run)
    for (const ReportedMean& m : run->means) {
      if (task.left_out == 0 || run->judged)
        add(m.metric, m.over);
      else
        for (const ItemGroups::Mean& mean : groups.means) add(m.metric, mean.over);
    }
  return all;
}

Measure measure_of(const JoinedTask& task, const ItemGroups& groups, const std::string& metric,
                   const std::string& over, size_t models, const MeasureSettings& settings) {
  const ScoredTask& first = *task.of_run[0];
  Measure measure{.task = task.task,
                  .metric = metric,
                  .over = over,
                  .unit = first.unit,
                  .values = {},
                  .pairs = {},
                  .test = {}};
  measure.values.resize(models);
  for (size_t k = 0; k < task.runs.size(); ++k)
    measure.values[task.runs[k]] = reported(*task.of_run[k], metric, over);
  const auto index = std::find(first.metrics.begin(), first.metrics.end(), metric);
  const auto mean = std::find_if(groups.means.begin(), groups.means.end(),
                                 [&](const ItemGroups::Mean& m) { return m.over == over; });
  if (index == first.metrics.end() || mean == groups.means.end() || over.starts_with("subject "))
    return measure;
  const auto place = static_cast<size_t>(index - first.metrics.begin());
  compare_runs(joint_scores(task, place, groups, *mean), task.runs, settings, measure);
  return measure;
}

}  // namespace

std::optional<PairedDifference> Measure::difference(size_t base, size_t other) const {
  if (pairs.empty() || base == other) return std::nullopt;
  std::optional<PairedDifference> d = pairs[std::min(base, other)][std::max(base, other)];
  if (!d || base < other) return d;
  d->difference = -d->difference;
  std::swap(d->low, d->high), std::swap(d->only_first, d->only_second);
  if (d->low) d->low = -*d->low, d->high = -*d->high;
  return d;
}

std::vector<Measure> task_measures(const JoinedTask& task, size_t models, const MeasureSettings& settings) {
  const ItemGroups groups = groups_of(task);
  std::vector<Measure> all;
  for (const auto& [metric, over] : averages_of(task, groups))
    all.push_back(measure_of(task, groups, metric, over, models, settings));
  return all;
}

std::optional<Measure> macro_measure(const std::vector<const JoinedTask*>& tasks,
                                     const std::vector<std::string>& headlines, size_t models,
                                     const MeasureSettings& settings) {
  std::vector<JointScores> scores;
  std::vector<size_t> runs;
  for (size_t t = 0; t < tasks.size(); ++t) {
    const ScoredTask& first = *tasks[t]->of_run[0];
    const auto at = std::find(first.metrics.begin(), first.metrics.end(), headlines[t]);
    if (tasks[t]->runs.size() != models || first.unit != Unit::share || first.judged ||
        at == first.metrics.end())
      continue;
    const ItemGroups groups = groups_of(*tasks[t]);
    scores.push_back(
        joint_scores(*tasks[t], static_cast<size_t>(at - first.metrics.begin()), groups, groups.means[0]));
    runs = tasks[t]->runs;
  }
  if (scores.size() < 2) return std::nullopt;
  Measure measure{.task = "macro average",
                  .metric = "mean",
                  .over = fmt::format("{} tasks", scores.size()),
                  .headline = true,
                  .values = {},
                  .pairs = {},
                  .test = {}};
  measure.values.resize(models);
  compare_runs(together(std::move(scores)), runs, settings, measure);
  return measure;
}

std::vector<size_t> adjust_headlines(std::vector<Measure>& measures, size_t models) {
  std::vector<size_t> comparisons(models);
  for (Measure& m : measures)
    if (m.headline) m.holm.assign(models, std::vector<std::optional<double>>(models));
  for (size_t base = 0; base < models; ++base) {
    std::vector<double> p;
    std::vector<std::optional<double>*> to;
    for (Measure& m : measures) {
      if (!m.headline) continue;
      for (size_t other = 0; other < models; ++other)
        if (const auto d = m.difference(base, other)) p.push_back(d->p), to.push_back(&m.holm[base][other]);
    }
    const std::vector<double> adjusted = holm(p);
    for (size_t i = 0; i < p.size(); ++i) *to[i] = adjusted[i];
    comparisons[base] = p.size();
  }
  return comparisons;
}

}  // namespace fathom
