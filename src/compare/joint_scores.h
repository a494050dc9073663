// A metric's scores of joined items as sums by cluster, from which means, intervals and tests are made.
#pragma once
#include <vector>

#include "compare/joined_task.h"
#include "compare/measure.h"
#include "eval/bootstrap.h"

namespace fathom {

struct JointScores {
  std::vector<JointStratum> strata;  // columns: the runs of the joined task
  size_t runs = 0;
  int64_t items = 0, clusters = 0;
  bool single = true;  // one stratum, and a cluster is an item
  bool zero_one = true;

  // Of the strata's means, for each run.
  std::vector<double> means() const;
};

// Of the clusters of `groups` and one of its means, by the metric with this number; items that some run has
// no score of are left out. All of them go through a single cluster each.
JointScores joint_scores(const JoinedTask& task, size_t metric, const ItemGroups& groups,
                         const ItemGroups::Mean& mean);

// Strata of several tasks together: the mean of the tasks' means. All have the same runs.
JointScores together(std::vector<JointScores> tasks);

// Values with intervals where `values` is null for a run, and all paired differences. `runs` says which
// models the columns are.
void compare_runs(const JointScores& scores, const std::vector<size_t>& runs, const MeasureSettings& settings,
                  Measure& measure);

}  // namespace fathom
