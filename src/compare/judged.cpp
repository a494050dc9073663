#include "compare/judged.h"

#include <algorithm>
#include <filesystem>
#include <map>

#include "base/error.h"
#include "io/descriptor.h"
#include "io/json_rows.h"
#include "judge/mt_bench_scores.h"

namespace fathom {
namespace {

namespace fs = std::filesystem;

// Settings that two models must share; the others are of the model and its answers.
constexpr const char* of_the_benchmark[] = {
    "benchmark", "mode",   "questions", "prompts",           "references",   "against",
    "baseline",  "prompt", "judge",     "judge_temperature", "judge_tokens", "top_log_probs"};

bool has_scores(const std::string& folder) {
  return fs::exists(file_in(folder, "scores.json")) && fs::exists(file_in(folder, "settings.json"));
}

void add_interval(const JsonObject& json, const char* key, double scale, ReportedMean& mean) {
  if (!json.has(key)) return;
  const auto both = json.required<std::vector<double>>(key);
  check(both.size() == 2, "{}: field '{}' must have two numbers", json.where(), key);
  mean.low = scale * both[0], mean.high = scale * both[1];
}

void add_mean(const JsonObject& model, const char* key, const std::string& metric, const std::string& over,
              ScoredTask& task) {
  if (!model.has(key)) return;
  const JsonObject json = model.child(key);
  ReportedMean mean{metric, over, json.required<int64_t>("judgements"), json.required<double>("mean"), {},
                    {},     {}};
  add_interval(json, "interval", 1, mean);
  task.means.push_back(std::move(mean));
}

void read_ratings(const std::string& folder, const JsonObject& scores, ScoredTask& task) {
  const auto models = scores.required<std::vector<Json>>("models");
  check(models.size() == 1, "{}: has {} models, and a run is one", scores.where(), models.size());
  const JsonObject model(models[0], scores.where());
  task.task = "mt_bench", task.unit = Unit::rating;
  task.metrics = {"average", "turn 1", "turn 2"}, task.headlines = {"average"};
  add_mean(model, "average", "average", "items", task);
  add_mean(model, "turn_1", "turn 1", "items", task);
  add_mean(model, "turn_2", "turn 2", "items", task);
  if (model.has("categories")) {
    const JsonObject categories = model.child("categories");
    for (const auto& [name, value] : categories.json().items())
      add_mean(categories, name.c_str(), "average", "category " + name, task);
  }
  if (const auto failed = model.optional<int64_t>("failed", 0); failed > 0)
    task.remarks.push_back(fmt::format("{} judgements failed", failed));
  task.records = file_in(folder, "judgements.jsonl");
  std::map<std::pair<int64_t, int64_t>, Rated> last;
  JsonRows rows(task.records);
  for (Json row; rows.next(row);) {
    Rated rated = rated_from_json(row, rows.where());
    const std::pair key(rated.question, rated.turn);
    last.insert_or_assign(key, std::move(rated));
  }
  for (const auto& [key, rated] : last) {
    const double value = rated.rating.value.value_or(0), there = rated.rating.value ? 1 : 0;
    ScoredItem& item = task.items.emplace_back();
    item.id = fmt::format("{}/{}", key.first, key.second);
    item.place.cluster = std::to_string(key.first);
    item.scores = {value, value, value};
    item.weights = {there, key.second == 1 ? there : 0, key.second == 2 ? there : 0};
  }
}

void read_preferences(const std::string& folder, const JsonObject& scores, ScoredTask& task) {
  task.task = "alpaca_eval";
  task.metrics = {"win_rate"}, task.headlines = {"length_controlled", "win_rate"};
  const auto judged = scores.required<int64_t>("n_total");
  const auto add = [&](const char* metric, const char* value, const char* error, const char* interval) {
    if (!scores.has(value)) return;
    ReportedMean mean{metric, "items", judged, scores.required<double>(value) / 100, {}, {}, {}};
    if (scores.has(error)) mean.error = scores.required<double>(error) / 100;
    add_interval(scores, interval, 0.01, mean);
    task.means.push_back(std::move(mean));
  };
  add("length_controlled", "length_controlled_winrate", "lc_standard_error", "lc_interval");
  add("win_rate", "win_rate", "standard_error", "interval");
  if (const auto failed = scores.optional<int64_t>("failed", 0); failed > 0)
    task.remarks.push_back(fmt::format("{} judgements failed", failed));
  task.records = file_in(folder, "annotations.json");
  JsonRows rows(task.records);
  for (Json row; rows.next(row);) {
    const JsonObject json(row, rows.where());
    ScoredItem& item = task.items.emplace_back();
    item.id = item.place.cluster = json.required<std::string>("instruction");
    const auto preference = json.optional<double>("preference", 0);
    check(!json.has("preference") || preference == 0 || (preference >= 1 && preference <= 2),
          "{}: field 'preference' must be 0 or between 1 and 2, got {}", rows.where(), preference);
    item.scores = {preference == 0 ? 0.5 : preference - 1};
    item.weights = {json.has("preference") ? 1.0 : 0.0};
  }
}

}  // namespace

std::vector<std::string> judged_folders(const std::string& folder) {
  std::vector<std::string> found;
  if (has_scores(folder)) found.push_back(folder);
  for (const auto& entry : fs::directory_iterator(folder))
    if (entry.is_directory() && has_scores(entry.path().string())) found.push_back(entry.path().string());
  std::sort(found.begin(), found.end());
  return found;
}

std::optional<ScoredTask> read_judged(const std::string& folder) {
  const std::string path = file_in(folder, "settings.json"), scores_path = file_in(folder, "scores.json");
  const Json settings_json = read_json(path), scores_json = read_json(scores_path);
  const JsonObject file(settings_json, path), scores(scores_json, scores_path);
  const JsonObject settings = file.child("settings");
  ScoredTask task;
  task.judged = true;
  for (const char* name : of_the_benchmark)
    if (settings.has(name)) task.identity[name] = settings.json()[name];
  const auto benchmark = settings.required<std::string>("benchmark");
  check(benchmark == "mt-bench" || benchmark == "alpaca-eval", "{}: unknown benchmark '{}'", path, benchmark);
  if (benchmark == "alpaca-eval")
    read_preferences(folder, scores, task);
  else if (scores.required<std::string>("mode") == "single")
    read_ratings(folder, scores, task);
  else
    return std::nullopt;
  check(!task.means.empty() && !task.items.empty(), "{}: has no scores", scores_path);
  return task;
}

}  // namespace fathom
