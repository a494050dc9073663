// The same items of a task as several runs answered them, joined by their ids.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "compare/evaluated_run.h"

namespace fathom {

struct JoinedTask {
  std::string task;
  std::vector<size_t> runs;  // that have the task, by their place among all
  std::vector<const ScoredTask*> of_run;
  // [items][runs]: the first run's order. All are there in each of the runs, asked the same.
  std::vector<std::vector<const ScoredItem*>> items;
  // Items of some run that others do not have, or were asked otherwise: only where these are allowed.
  int64_t left_out = 0;
  std::vector<std::string> remarks;
};

// One for each task that any run has. Error for the first difference in what was asked: the task's version or
// file, examples, samples, data, limit, a judge's settings, items, an item's prompt or right answer. With
// `common` items that differ are left out instead, but not another version, file, number of examples or
// samples. The runs must outlive this.
std::vector<JoinedTask> join_tasks(std::span<const EvaluatedRun> runs, bool common);

}  // namespace fathom
