#include "eval/task_result.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <set>

#include "base/error.h"

namespace fathom {
namespace {

class Averages {
 public:
  Averages(const Task& task, std::span<const Item* const> items, uint64_t seed, int threads,
           TaskResult& result)
      : groups_(item_groups(places_of(items), subject_plan(task))),
        seed_(seed),
        threads_(threads),
        result_(result) {}

  // `value(i)` and `count(i)`: what item i adds to both sides of a mean.
  template <class Value, class Count>
  void add(const std::string& metric, bool share, const Value& value, const Count& count) {
    std::vector<ClusterSum> sums;
    for (const std::vector<size_t>& cluster : groups_.clusters) {
      ClusterSum& sum = sums.emplace_back();
      for (const size_t i : cluster) sum.sum += value(i), sum.count += count(i);
    }
    for (const ItemGroups::Mean& mean : groups_.means) {
      Strata strata;
      for (const std::vector<size_t>& clusters : mean.strata) {
        std::vector<ClusterSum>& stratum = strata.emplace_back();
        for (const size_t c : clusters) stratum.push_back(sums[c]);
      }
      result_.averages.push_back({metric, mean.over, mean.items, bootstrap(strata, share, seed_, threads_)});
    }
  }

 private:
  static std::vector<ItemPlace> places_of(std::span<const Item* const> items) {
    std::vector<ItemPlace> places;
    for (const Item* item : items) places.push_back({item->subject, item->cluster});
    return places;
  }

  const ItemGroups groups_;
  uint64_t seed_;
  int threads_;
  TaskResult& result_;
};

// Of any of the letters; options that are written alike count once.
double probability_of_letters(const Measured& m) {
  std::set<std::pair<std::vector<int32_t>, std::vector<std::string>>> seen;
  double sum = 0;
  for (const MeasuredOption& option : m.options)
    if (seen.emplace(option.ids, option.tokens).second) sum += std::exp(option.sum);
  return sum;
}

void count_items(const Task& task, std::span<const Measured> measured, TaskResult& r) {
  double letters = 0;
  int64_t run = 0;
  for (const Measured& m : measured) {
    r.not_run += !m.not_run.empty(), r.truncated += m.truncated;
    r.fewer_shots += m.shots < task.shots.count && task.form != TaskForm::text;
    r.tokens += m.tokens, r.bytes += m.bytes;
    r.samples += std::ssize(m.samples);
    for (const MeasuredSample& s : m.samples) {
      r.cut += s.cut();
      r.empty += s.output.find_first_not_of(" \t\r\n") == std::string::npos;
    }
    if (!m.options.empty()) letters += probability_of_letters(m), ++run;
  }
  if (task.form == TaskForm::choice && task.choices.letters && run > 0)
    r.letter_probability = letters / static_cast<double>(run);
}

}  // namespace

SubjectPlan subject_plan(const Task& task) {
  return {!task.data.subjects.empty(), task.data.subjects.size(), task.categories};
}

TaskResult task_result(const Task& task, const TaskItems& data, std::span<const Item* const> items,
                       std::span<const Measured> measured, std::span<const ItemScores> scores, uint64_t seed,
                       int threads) {
  TaskResult r;
  r.task = task.name, r.version = task.version, r.shots = task.shots.count;
  r.items = std::ssize(items), r.missing_subjects = std::ssize(data.missing),
  r.malformed = std::ssize(data.malformed);
  std::set<std::string> clusters;
  for (const Item* item : items) clusters.insert(item->subject + '\n' + item->cluster);
  r.clusters = std::ssize(clusters);
  count_items(task, measured, r);
  Averages averages(task, items, seed, threads, r);
  if (task.form == TaskForm::text) {
    averages.add(
        "bits_per_byte", false, [&](size_t i) { return measured[i].nats / std::numbers::ln2; },
        [&](size_t i) { return static_cast<double>(measured[i].bytes); });
    return r;
  }
  const std::vector<std::string> names = score_names(task);
  for (size_t n = 0; n < names.size(); ++n) {
    const auto score_of = [&](size_t i) { return n < scores[i].size() ? scores[i][n] : MetricScore(); };
    averages.add(
        names[n], true, [&](size_t i) { return score_of(i).value * score_of(i).weight; },
        [&](size_t i) { return score_of(i).weight; });
    MetricCounts& counts = r.counts[names[n]];
    for (size_t i = 0; i < scores.size(); ++i) {
      counts.ties += score_of(i).tie, counts.undecided += score_of(i).undecided;
      for (const auto& answer : score_of(i).answers) counts.unanswered += !answer;
    }
  }
  return r;
}

}  // namespace fathom
