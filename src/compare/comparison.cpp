#include "compare/comparison.h"

#include <algorithm>

#include "base/error.h"
#include "base/nearest.h"

namespace fathom {
namespace {

bool contains(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

bool has_metric(const ScoredTask& task, const std::string& metric) {
  return std::any_of(task.means.begin(), task.means.end(),
                     [&](const ReportedMean& m) { return m.metric == metric; });
}

// What is chosen; else that of the paper's table; else the task's own.
std::vector<std::string> headlines_of(const ScoredTask& task, const std::vector<std::string>& chosen,
                                      const Published& published) {
  for (const std::string& metric : chosen)
    if (has_metric(task, metric)) return {metric};
  if (task.judged) return task.headlines;
  if (const auto known = published.tasks.find(task.task); known != published.tasks.end())
    for (const std::string& metric : known->second.metrics)
      if (has_metric(task, metric)) return {metric};
  return task.headlines;
}

void check_metrics(const std::vector<JoinedTask>& tasks, const std::vector<std::string>& chosen) {
  std::vector<std::string> known;
  for (const JoinedTask& task : tasks)
    for (const ReportedMean& m : task.of_run[0]->means)
      if (!contains(known, m.metric)) known.push_back(m.metric);
  for (const std::string& metric : chosen)
    check(contains(known, metric), "--metric: no task has a metric '{}'{}", metric,
          did_you_mean(metric, known));
}

size_t baseline_of(const std::vector<EvaluatedRun>& runs, const std::string& name) {
  if (name.empty()) return 0;
  std::vector<std::string> names;
  for (const EvaluatedRun& run : runs) names.push_back(run.name);
  const auto at = std::find(names.begin(), names.end(), name);
  check(at != names.end(), "--baseline: no run is named '{}'{}", name, did_you_mean(name, names));
  return static_cast<size_t>(at - names.begin());
}

void measure_tasks(const CompareChoice& choice, Comparison& c) {
  std::vector<const JoinedTask*> tasks;
  std::vector<std::string> first_headlines;
  const size_t models = c.runs.size();
  for (const JoinedTask& task : c.tasks) {
    const std::vector<std::string> headlines = headlines_of(*task.of_run[0], choice.metrics, c.published);
    tasks.push_back(&task), first_headlines.push_back(headlines[0]);
    std::vector<std::string> done;
    for (Measure& m : task_measures(task, models, choice.settings)) {
      // Of a metric the average over items, which comes first.
      m.headline = contains(headlines, m.metric) && !contains(done, m.metric);
      if (m.headline) done.push_back(m.metric);
      c.measures.push_back(std::move(m));
    }
  }
  if (std::optional<Measure> macro = macro_measure(tasks, first_headlines, models, choice.settings))
    c.measures.insert(c.measures.begin(), std::move(*macro));
  c.comparisons = adjust_headlines(c.measures, models);
}

void add_remarks(Comparison& c) {
  for (const EvaluatedRun& run : c.runs)
    c.remarks.insert(c.remarks.end(), run.remarks.begin(), run.remarks.end());
  for (const JoinedTask& task : c.tasks) {
    for (const std::string& remark : task.remarks) c.remarks.push_back(task.task + ": " + remark);
    std::string missing;
    for (size_t r = 0; r < c.runs.size(); ++r)
      if (std::find(task.runs.begin(), task.runs.end(), r) == task.runs.end())
        missing += (missing.empty() ? "" : ", ") + c.runs[r].name;
    if (!missing.empty()) c.remarks.push_back(fmt::format("{}: no results of {}", task.task, missing));
    for (size_t k = 0; k < task.runs.size(); ++k)
      for (const std::string& remark : task.of_run[k]->remarks)
        c.remarks.push_back(fmt::format("{}, {}: {}", task.task, c.runs[task.runs[k]].name, remark));
  }
}

}  // namespace

std::optional<Comparison::PublishedCell> Comparison::published_cell(const PublishedModel& model,
                                                                    const Measure& measure) const {
  const auto score = model.scores.find(measure.task);
  const JoinedTask* of = task(measure.task);
  if (score == model.scores.end() || !of || !of->of_run[0]) return std::nullopt;
  const PublishedTask& known = published.tasks.at(measure.task);
  const bool part = measure.over.starts_with("category ") || measure.over.starts_with("subject ");
  if (part || !contains(known.metrics, measure.metric)) return std::nullopt;
  return PublishedCell{score->second, published_note(known, *of->of_run[0])};
}

std::vector<std::pair<std::string, std::vector<size_t>>> Comparison::series() const {
  std::vector<std::pair<std::string, std::vector<size_t>>> all;
  for (size_t r = 0; r < runs.size(); ++r) {
    if (runs[r].series.empty()) continue;
    auto at =
        std::find_if(all.begin(), all.end(), [&](const auto& one) { return one.first == runs[r].series; });
    if (at == all.end()) at = all.insert(all.end(), {runs[r].series, {}});
    at->second.push_back(r);
  }
  for (auto& [name, members] : all)
    std::stable_sort(members.begin(), members.end(),
                     [&](size_t a, size_t b) { return *runs[a].training.tokens < *runs[b].training.tokens; });
  return all;
}

const JoinedTask* Comparison::task(const std::string& name) const {
  for (const JoinedTask& one : tasks)
    if (one.task == name) return &one;
  return nullptr;
}

Comparison compare(const CompareChoice& choice) {
  Comparison c;
  c.runs = read_runs(choice.runs);
  c.baseline = baseline_of(c.runs, choice.baseline);
  c.tasks = join_tasks(c.runs, choice.common);
  check_metrics(c.tasks, choice.metrics);
  c.published = published_scores();
  measure_tasks(choice, c);
  if (!choice.published) c.published.models.clear();
  std::erase_if(c.published.models, [&](const PublishedModel& model) {
    return std::none_of(c.measures.begin(), c.measures.end(),
                        [&](const Measure& m) { return c.published_cell(model, m).has_value(); });
  });
  add_remarks(c);
  return c;
}

}  // namespace fathom
