// A number by which models are compared: a task's metric, averaged over something, with what each model has
// of it and how every two of them differ.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "compare/joined_task.h"

namespace fathom {

struct MeasuredValue {
  double value = 0;
  std::optional<double> error, low, high;  // 95%; nothing where a run has no interval
  int64_t items = 0;
};

// Two models on the items that both have: the second less the first.
struct PairedDifference {
  double difference = 0;
  std::optional<double> low, high;  // 95%, paired bootstrap; nothing where one cluster alone says nothing
  double p = 1;
  // Of scores that are 0 or 1: items that one has right and the other wrong.
  std::optional<int64_t> only_first, only_second;
};

struct Measure {
  std::string task, metric, over;
  Unit unit = Unit::share;
  bool headline = false;                             // a table shows it without being asked
  std::vector<std::optional<MeasuredValue>> values;  // of each model
  // [first][second], first < second, both by their place among all models; empty without scores of items.
  std::vector<std::vector<std::optional<PairedDifference>>> pairs;
  std::string test;                 // of the p values
  int64_t items = 0, clusters = 0;  // that the differences are of
  // [baseline][other]: p adjusted by Holm over all comparisons of headlines with that baseline.
  std::vector<std::vector<std::optional<double>>> holm = {};

  // Of `other` less `base`, whichever comes first.
  std::optional<PairedDifference> difference(size_t base, size_t other) const;
  bool less_is_better() const { return unit == Unit::bits; }
};

struct MeasureSettings {
  uint64_t seed = 1234;
  int threads = 1;
};

// All averages of a task, in the result's order. `models`: of all runs.
std::vector<Measure> task_measures(const JoinedTask& task, size_t models, const MeasureSettings& settings);

// The mean over the tasks that all models have of their headlines, where these are shares of items; nothing
// for fewer than two tasks. `tasks` and `headlines` (a metric each) go together.
std::optional<Measure> macro_measure(const std::vector<const JoinedTask*>& tasks,
                                     const std::vector<std::string>& headlines, size_t models,
                                     const MeasureSettings& settings);

// Fills Measure::holm of the headlines; returns the number of comparisons with each model as the baseline.
std::vector<size_t> adjust_headlines(std::vector<Measure>& measures, size_t models);

}  // namespace fathom
