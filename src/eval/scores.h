// Scores of items, from what was measured and what is right: no model is needed for them.
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "eval/measured.h"
#include "sandbox/sandbox.h"

namespace fathom {

// Of one item by one metric.
struct MetricScore {
  double value = 0;     // in [0, 1]
  int64_t picked = -1;  // the option
  bool tie = false;     // another option has the same score as the one that was picked
  // Of generated answers: what was found in each, nothing where there is no answer, and what it scored.
  std::vector<std::optional<std::string>> answers;
  std::vector<double> of_samples;
  // Of instructions: how many the item has, by which its value counts; and how many verdicts are open.
  double weight = 1;
  int64_t undecided = 0;
};

// The names of the metrics of what is written. Several metrics have one name where they ask of different
// subjects.
std::vector<std::string> answer_metric_names(const Task& task);
const AnswerMetric& answer_metric(const Task& task, const std::string& name, const std::string& subject);

// By the names of score_names(), in their order.
using ItemScores = std::vector<MetricScore>;

// The task's metrics; of generated answers also "NAME pass@k" and "NAME maj@k", for those k that the number
// of samples allows.
std::vector<std::string> score_names(const Task& task);

class Scorer {
 public:
  // Makes a sandbox if a metric runs code, for `workers` programs at a time; `allow_weak` as in
  // SandboxOptions. The task must outlive this.
  Scorer(const Task& task, int workers, bool allow_weak);

  // An item without a measurement scores 0.
  std::vector<ItemScores> score(std::span<const Item> items, std::span<const Measured> measured) const;

 private:
  ItemScores score_choice(const Item& item, const Measured& measured) const;
  void score_samples(const AnswerMetric& metric, std::span<const Item> items,
                     std::span<const Measured> measured, std::vector<ItemScores>& scores, size_t place) const;
  // The mean over an item's samples, pass@k and maj@k.
  void add_averages(const std::vector<std::string>& names, const Item& item, ItemScores& scores) const;
  void check_instructions(const AnswerMetric& metric, std::span<const Item> items,
                          std::span<const Measured> measured, std::vector<ItemScores>& scores,
                          size_t place) const;
  void run_code(const AnswerMetric& metric, std::span<const Item> items, std::span<const Measured> measured,
                std::vector<ItemScores>& scores, size_t place) const;

  const Task& task_;
  std::optional<Sandbox> sandbox_;
  int workers_;
};

// What a metric says of an option.
double option_score(ChoiceMetric metric, const MeasuredOption& option, const std::string& answer);

// 1 - C(n-c, k) / C(n, k): the chance that k of n samples, c of them right, have a right one. Unbiased
// (Chen et al. 2021, equation 1). k <= n.
double pass_at(int64_t n, int64_t c, int64_t k);

// Adds to a record where the item stands: its subject, and where the task has clusters a hash of its cluster
// (a cluster may be named like an item that is in another).
void add_place(const Task& task, const Item& item, OrderedJson& record);
// Adds picked options, answers, what is right, and scores to a record.
void add_scores(const Task& task, const Item& item, const ItemScores& scores, OrderedJson& record);

}  // namespace fathom
