// Runs compared: every model's scores with intervals, how each differs from the others, what papers publish
// beside them, and all that is to be known of it.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "compare/evaluated_run.h"
#include "compare/joined_task.h"
#include "compare/measure.h"
#include "compare/published.h"

namespace fathom {

struct CompareChoice {
  RunChoice runs;
  std::string baseline;              // a model's name; empty: the first
  std::vector<std::string> metrics;  // shown in place of a task's own headline, where it has them
  bool common = false;               // only the items that all runs of a task have, asked alike
  bool published = true;
  MeasureSettings settings;
};

// The joined tasks and the measures refer to the runs: it is not to be copied.
struct Comparison {
  std::vector<EvaluatedRun> runs;  // the models
  size_t baseline = 0;
  std::vector<JoinedTask> tasks;
  std::vector<Measure> measures;    // the macro average first, if there is one; then task by task
  std::vector<size_t> comparisons;  // of headlines, by baseline
  Published published;              // models that have a score of some task here
  std::vector<std::string> remarks;

  Comparison() = default;
  Comparison(const Comparison&) = delete;
  Comparison(Comparison&&) = default;

  // Of a published model beside a measure: nothing where the paper's measurement is another.
  struct PublishedCell {
    double value;
    std::string note;
  };
  std::optional<PublishedCell> published_cell(const PublishedModel& model, const Measure& measure) const;
  // Names of series of several checkpoints, with their models by trained tokens.
  std::vector<std::pair<std::string, std::vector<size_t>>> series() const;
  const JoinedTask* task(const std::string& name) const;
};

Comparison compare(const CompareChoice& choice);

// By task for the terminal: models and their scores, then each model's difference from the baseline.
// `all_metrics`: not only the headlines.
std::string comparison_table(const Comparison& comparison, bool all_metrics);
OrderedJson comparison_json(const Comparison& comparison);

}  // namespace fathom
