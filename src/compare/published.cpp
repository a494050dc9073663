#include "compare/published.h"

#include <algorithm>

#include "base/error.h"
#include "compare/published_file.h"
#include "io/toml_json.h"

namespace fathom {
namespace {

constexpr const char* forms[] = {"base", "chat"};

// A file has percent where the program has shares.
double in_unit(const std::string& task, double value) {
  return task == "pile" || task == "mt_bench" ? value : value / 100;
}

PublishedModel model_of(const JsonObject& json, const Published& all) {
  PublishedModel model{json.required<std::string>("name"),
                       json.required<std::string>("form"),
                       json.required<std::string>("source"),
                       {}};
  const JsonObject scores = json.child("scores");
  for (const auto& [task, value] : scores.json().items()) {
    check(all.tasks.contains(task), "{}: model '{}' has a score of '{}', which is no task here", json.where(),
          model.name, task);
    model.scores[task] = in_unit(task, scores.required<double>(task));
  }
  return model;
}

}  // namespace

Published parse_published(const std::string& toml, const std::string& where) {
  const Json json = parse_toml(toml, where);
  const JsonObject file(json, where);
  Published all;
  for (const char* form : forms) {
    const JsonObject tasks = file.child("tasks").child(form);
    for (const auto& [name, value] : tasks.json().items()) {
      const JsonObject task = tasks.child(name);
      PublishedTask& to = all.tasks[name];
      to.metrics = task.required<std::vector<std::string>>("metrics");
      check(!to.metrics.empty(), "{}: task '{}' has no metrics", where, name);
      if (task.has("shots")) to.shots = task.required<int64_t>("shots");
    }
  }
  for (const Json& model : file.required<std::vector<Json>>("model"))
    all.models.push_back(model_of(JsonObject(model, where), all));
  return all;
}

Published published_scores() {
  return parse_published(std::string(published_file), "published/deepseek-v2.toml");
}

std::string published_note(const PublishedTask& published, const ScoredTask& task) {
  std::string note;
  const auto add = [&](const std::string& text) { note += (note.empty() ? "" : "; ") + text; };
  if (published.shots && task.has_shots() && *published.shots != task.shots)
    add(fmt::format("with {} examples, here with {}", *published.shots, task.shots));
  if (!published.shots && task.has_shots()) add("the number of examples is not given");
  if (task.limit > 0) add(fmt::format("of all items, here of the first {} of each file", task.limit));
  if (task.plan.has_subjects && !task.means.empty() && task.means[0].over != "items")
    add("of all subjects, here of some");
  return note;
}

}  // namespace fathom
