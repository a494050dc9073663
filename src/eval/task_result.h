// A task's result: averages with their intervals, and all that says how far to trust them.
#pragma once
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "eval/bootstrap.h"
#include "eval/item_groups.h"
#include "eval/scores.h"

namespace fathom {

struct Average {
  std::string metric, over;  // over: as ItemGroups names it
  int64_t items = 0;
  MeanInterval interval;
};

struct MetricCounts {
  int64_t ties = 0;        // items of which several options are the likeliest
  int64_t unanswered = 0;  // samples in which no answer was found
  int64_t undecided = 0;   // instructions of which the rules do not tell whether they are followed
};

struct TaskResult {
  std::string task;
  int64_t version = 1, shots = 0;
  int64_t items = 0, clusters = 0;
  int64_t not_run = 0, truncated = 0, fewer_shots = 0;  // items that did not fit as they are
  int64_t samples = 0, cut = 0, empty = 0;              // generated answers; ended by a limit; without text
  int64_t tokens = 0, bytes = 0;                        // of documents
  int64_t missing_subjects = 0, malformed = 0;
  // Where the options are letters: the mean probability of any of them. Below 0.2 the model does not know
  // that a letter is wanted.
  double letter_probability = -1;
  std::map<std::string, MetricCounts> counts;
  std::vector<Average> averages;
};

inline constexpr double low_letter_probability = 0.2;

SubjectPlan subject_plan(const Task& task);

// Items of all subjects one after another, with what was measured and scored of each.
TaskResult task_result(const Task& task, const TaskItems& data, std::span<const Item* const> items,
                       std::span<const Measured> measured, std::span<const ItemScores> scores, uint64_t seed,
                       int threads);

OrderedJson task_result_json(const TaskResult& result);
// A line for each average; below them what is to be known of the task.
std::string task_result_table(const TaskResult& result, bool every_subject);

}  // namespace fathom
