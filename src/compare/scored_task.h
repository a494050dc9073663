// A run's results of one task, whoever made them: averages with intervals as its result file has them, and
// the score of every item, by which runs are compared.
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "eval/item_groups.h"
#include "io/json.h"

namespace fathom {

enum class Unit {
  share,   // 0 to 1, shown in percent
  bits,    // per byte: less is better
  rating,  // 1 to 10
};

// A mean as a result file has it.
struct ReportedMean {
  std::string metric, over;
  int64_t items = 0;
  double value = 0;
  std::optional<double> error, low, high;  // 95%
};

struct ScoredItem {
  std::string id;
  ItemPlace place;
  std::string asked, right;  // what was asked, what is right: equal where both are the same
  int64_t shots = 0;
  bool truncated = false, not_run = false;
  std::vector<double> scores, weights;  // by ScoredTask::metrics; weight 0: no score by this metric
  uint64_t begin = 0, end = 0;          // of its record
};

struct ScoredTask {
  std::string task;
  Unit unit = Unit::share;
  std::string records;  // the file
  bool judged = false;  // by another model: its records are no records of fathom eval
  // What two runs must have in common, in the order in which it is compared; and what the next step may
  // differ in where only common items are compared.
  OrderedJson identity, data_identity;
  std::vector<ReportedMean> means;     // in the result's order: the first is the headline
  std::vector<std::string> metrics;    // of the items' scores
  std::vector<std::string> headlines;  // metrics that a table shows without being asked
  SubjectPlan plan;
  std::vector<ScoredItem> items;
  std::vector<std::string> remarks;  // to be known of the score: answers that were cut, and the like
  int64_t shots = 0, limit = 0;
  // Judges' benchmarks and documents have no examples.
  bool has_shots() const { return !judged && unit != Unit::bits; }
};

}  // namespace fathom
