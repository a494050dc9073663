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
      : task_(task), items_(items), seed_(seed), threads_(threads), result_(result) {}

  // `value(i)` and `count(i)`: what item i adds to both sides of a mean.
  template <class Value, class Count>
  void add(const std::string& metric, bool share, const Value& value, const Count& count) {
    std::map<std::string, std::map<std::string, ClusterSum>> clusters;  // of each subject
    std::map<std::string, int64_t> size;
    for (size_t i = 0; i < items_.size(); ++i) {
      ClusterSum& c = clusters[items_[i]->subject][items_[i]->cluster];
      c.sum += value(i), c.count += count(i);
      ++size[items_[i]->subject];
    }
    std::map<std::string, std::vector<ClusterSum>> of_subject;
    for (const auto& [subject, all] : clusters)
      for (const auto& [name, sum] : all) of_subject[subject].push_back(sum);
    add_all(metric, share, of_subject, size);
  }

 private:
  using BySubject = std::map<std::string, std::vector<ClusterSum>>;
  using Sizes = std::map<std::string, int64_t>;

  void add_all(const std::string& metric, bool share, const BySubject& of_subject, const Sizes& size) {
    const auto add_average = [&](const std::string& over, const Strata& strata, int64_t items) {
      result_.averages.push_back({metric, over, items, bootstrap(strata, share, seed_, threads_)});
    };
    std::vector<ClusterSum> together;
    for (const auto& [subject, clusters] : of_subject)
      together.insert(together.end(), clusters.begin(), clusters.end());
    const auto items = static_cast<int64_t>(items_.size());
    add_average(result_.missing_subjects > 0 ? "items of " + label(of_subject.size(), "subjects") : "items",
                {together}, items);
    if (task_.data.subjects.empty()) return;
    Strata subjects, categories;
    for (const auto& [subject, clusters] : of_subject) subjects.push_back(clusters);
    add_average(label(of_subject.size(), "subjects"), subjects, items);
    size_t whole = 0;
    for (const auto& [name, members] : task_.categories) {
      std::vector<ClusterSum> all;
      int64_t n = 0;
      size_t found = 0;
      for (const std::string& subject : members) {
        const auto at = of_subject.find(subject);
        if (at == of_subject.end()) continue;
        all.insert(all.end(), at->second.begin(), at->second.end());
        n += size.at(subject), ++found;
      }
      if (all.empty()) continue;
      whole += found == members.size();
      add_average(found == members.size()
                      ? "category " + name
                      : fmt::format("category {} ({} of {} subjects)", name, found, members.size()),
                  {all}, n);
      categories.push_back(std::move(all));
    }
    if (!categories.empty())
      add_average(whole == task_.categories.size()
                      ? fmt::format("categories ({})", whole)
                      : fmt::format("categories ({} whole of {})", whole, task_.categories.size()),
                  categories, items);
    for (const auto& [subject, clusters] : of_subject)
      add_average("subject " + subject, {clusters}, size.at(subject));
  }

  std::string label(size_t found, const char* what) const {
    const size_t all = task_.data.subjects.size();
    return found == all ? fmt::format("{} ({})", what, all) : fmt::format("{} ({} of {})", what, found, all);
  }

  const Task& task_;
  std::span<const Item* const> items_;
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
