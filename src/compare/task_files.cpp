#include "compare/task_files.h"

#include <cmath>
#include <filesystem>
#include <set>

#include "base/error.h"
#include "eval/score_record.h"
#include "io/descriptor.h"
#include "io/file.h"

namespace fathom {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view endings[] = {".run.json", ".result.json", ".jsonl"};

ReportedMean mean_of(const JsonObject& json) {
  return {json.required<std::string>("metric"), json.required<std::string>("over"),
          json.required<int64_t>("items"),      json.required<double>("value"),
          json.required<double>("error"),       json.required<double>("low"),
          json.required<double>("high")};
}

std::string share_of(int64_t n, int64_t all) {
  return fmt::format("{} of {} ({:.1f}%)", n, all, 100 * static_cast<double>(n) / static_cast<double>(all));
}

std::vector<std::string> remarks_of(const JsonObject& json) {
  std::vector<std::string> all;
  const auto number = [&](const char* key) { return json.optional<int64_t>(key, 0); };
  if (const int64_t samples = number("samples"); samples > 0) {
    if (number("cut") > 0) all.push_back("answers cut by a limit: " + share_of(number("cut"), samples));
    if (number("empty") > 0) all.push_back("empty answers: " + share_of(number("empty"), samples));
  }
  if (number("not_run") > 0)
    all.push_back(fmt::format("{} items do not fit the context and count as wrong", number("not_run")));
  if (number("truncated") > 0)
    all.push_back(fmt::format("{} prompts lost their beginning", number("truncated")));
  if (number("fewer_shots") > 0)
    all.push_back(
        fmt::format("{} items have fewer examples, so that they fit the context", number("fewer_shots")));
  if (const auto letters = json.optional<double>("letter_probability", 1); letters < 0.2)
    all.push_back(
        fmt::format("mean probability of the answer letters {:.3f}: the score says little", letters));
  return all;
}

// Of all whole averages of a metric the first.
const ReportedMean* mean_of(const ScoredTask& task, const std::string& metric) {
  for (const ReportedMean& m : task.means)
    if (m.metric == metric) return &m;
  return nullptr;
}

void add_items(ScoredTask& task, ScoreRecords&& records) {
  task.metrics = std::move(records.metrics);
  if (records.text) task.unit = Unit::bits;
  for (ScoreRecord& r : records.items)
    task.items.push_back({std::move(r.id),
                          {std::move(r.subject), std::move(r.cluster)},
                          std::move(r.asked),
                          std::move(r.right),
                          r.shots,
                          r.truncated,
                          r.not_run,
                          std::move(r.scores),
                          std::move(r.weights),
                          r.begin,
                          r.end});
}

void check_belong_together(const ScoredTask& task, int64_t items, int64_t clusters,
                           const std::string& result) {
  check(std::ssize(task.items) == items, "{}: has {} records, and {} is of {} items", task.records,
        task.items.size(), result, items);
  std::set<std::pair<std::string_view, std::string_view>> found;
  bool subjects = true;
  for (const ScoredItem& item : task.items) {
    found.emplace(item.place.subject, item.place.cluster);
    subjects = subjects && !item.place.subject.empty();
  }
  check(std::ssize(found) == clusters && (subjects || !task.plan.has_subjects),
        "{}: its records do not say which items stand together, as those of earlier releases; fathom eval "
        "--rescore "
        "adds it",
        task.records);
  for (size_t m = 0; m < task.metrics.size(); ++m) {
    double sum = 0, weights = 0;
    for (const ScoredItem& item : task.items)
      sum += item.scores[m] * item.weights[m], weights += item.weights[m];
    const ReportedMean* mean = mean_of(task, task.metrics[m]);
    check(mean != nullptr, "{}: has no average of '{}', which the records have", result, task.metrics[m]);
    check(std::abs(sum / weights - mean->value) <= 1e-9 * std::max(1.0, std::abs(mean->value)),
          "{}: its {} is {}, that of the records {}; fathom eval --rescore makes one of the other", result,
          mean->metric, mean->value, sum / weights);
  }
}

}  // namespace

std::vector<std::string> tasks_in(const std::string& folder) {
  std::set<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    for (const std::string_view ending : {endings[0], endings[1]})
      if (name.ends_with(ending) && name.size() > ending.size() && !name.starts_with('.'))
        names.insert(name.substr(0, name.size() - ending.size()));
  }
  return {names.begin(), names.end()};
}

void parse_result(const Json& json, const std::string& where, ScoredTask& task) {
  const JsonObject result(json, where);
  for (const Json& average : result.required<std::vector<Json>>("averages"))
    task.means.push_back(mean_of(JsonObject(average, where)));
  check(!task.means.empty(), "{}: field 'averages' is empty", where);
  task.headlines = {task.means[0].metric};
  task.remarks = remarks_of(result);
  if (!result.has("subjects")) return;
  task.plan.has_subjects = true;
  task.plan.all = result.required<size_t>("subjects");
  if (!result.has("categories")) return;
  const JsonObject categories = result.child("categories");
  for (const auto& [name, members] : categories.json().items())
    task.plan.categories.emplace_back(name, categories.required<std::vector<std::string>>(name));
}

void parse_run(const Json& json, const std::string& where, TaskFiles& files) {
  const JsonObject run(json, where);
  ScoredTask& task = files.scored;
  task.task = run.required<std::string>("task");
  task.shots = run.required<int64_t>("shots"), task.limit = run.optional<int64_t>("limit", 0);
  task.identity = {{"task_version", run.required<int64_t>("task_version")},
                   {"task_file", run.required<std::string>("task_file")},
                   {"shots", task.shots},
                   {"samples", run.required<int64_t>("samples")}};
  task.data_identity = {{"limit", task.limit}, {"data", OrderedJson::object()}};
  const JsonObject data = run.child("data");
  for (const auto& [name, hash] : data.json().items())
    task.data_identity["data"][name] = data.required<std::string>(name);
  if (run.has("step")) files.training.step = run.required<int64_t>("step");
  if (run.has("trained_tokens")) files.training.tokens = run.required<int64_t>("trained_tokens");
  check(files.training.tokens.value_or(0) >= 0 && files.training.step.value_or(0) >= 0,
        "{}: fields 'step' and 'trained_tokens' must not be negative", where);
  files.training.run = run.optional<std::string>("training_run", "");
}

TaskFiles read_task_files(const std::string& folder, const std::string& task) {
  const std::string stem = file_in(folder, task), run = stem + ".run.json", result = stem + ".result.json";
  check(fs::exists(result), "{}: there is none, the run of {} was broken off; --resume continues it", result,
        task);
  for (const std::string& file : {run, stem + ".jsonl"})
    check(fs::exists(file), "{}: there is none beside {}", file, result);
  TaskFiles files;
  files.scored.records = stem + ".jsonl";
  parse_run(read_json(run), run, files);
  check(files.scored.task == task, "{}: is of task {}", run, files.scored.task);
  const Json json = read_json(result);
  parse_result(json, result, files.scored);
  add_items(files.scored, parse_score_records(read_file(files.scored.records), files.scored.records));
  const JsonObject object(json, result);
  check_belong_together(files.scored, object.required<int64_t>("items"), object.required<int64_t>("clusters"),
                        result);
  return files;
}

}  // namespace fathom
