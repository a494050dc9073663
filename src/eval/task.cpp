#include "eval/task.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "answers/named.h"
#include "base/error.h"
#include "eval/table_keys.h"
#include "io/toml_json.h"
#include "text/regex.h"

namespace fathom {
namespace {

constexpr auto form_names = std::to_array<std::pair<std::string_view, TaskForm>>(
    {{"choice", TaskForm::choice}, {"generate", TaskForm::generate}, {"text", TaskForm::text}});
constexpr auto shot_names = std::to_array<std::pair<std::string_view, ShotChoice>>(
    {{"first", ShotChoice::first}, {"random", ShotChoice::random}, {"random_each", ShotChoice::random_each}});

void read_data(const Json& table, const std::string& where, Task::Data& d) {
  const TableKeys keys(table, where + ": [data]");
  d.items = keys.texts("items", {}), d.shots = keys.texts("shots", {}), d.beside = keys.texts("beside", {});
  check(!d.items.empty(), "{}: [data] needs items, the files of the data set", where);
  d.subjects = keys.texts("subjects", {});
  d.several = keys.truth("several", false), d.beside_key = keys.templ("beside_key");
  d.skip_items = keys.templ("skip_items"), d.skip_shots = keys.templ("skip_shots");
  RowFormat& f = d.format;
  f.kind = keys.text("format", ""), f.header = keys.text("header", "");
  f.columns = keys.texts("columns", {}), f.lines = keys.integer("lines", 1, 1);
  f.each = keys.texts("each", {}), f.parallel = keys.texts("parallel", {}), f.flat = keys.text("flat", "");
  const TableKeys matches(keys.table("matches"), where + ": [data.matches]");
  f.matches.field = matches.text("field", ""), f.matches.pattern = matches.text("pattern", "");
  check(f.matches.field.empty() == f.matches.pattern.empty(), "{}: [data.matches] needs field and pattern",
        where);
  if (!f.matches.pattern.empty()) Regex(f.matches.pattern, matches.place("pattern"));
  matches.finish();
  check(f.lines >= std::ssize(f.columns) || f.kind != "lines", "{}: [data] has more columns than lines",
        where);
  const bool by_subject = std::any_of(d.items.begin(), d.items.end(), [](const std::string& pattern) {
    return pattern.find("{subject}") != std::string::npos;
  });
  check(by_subject == !d.subjects.empty(), "{}: [data] needs subjects exactly where items has {{subject}}",
        where);
  keys.finish();
}

void read_prompt(const Json& table, const std::string& where, Task::Prompt& p) {
  const TableKeys keys(table, where + ": [prompt]");
  p.intro = keys.templ("intro"), p.item = keys.templ("item"), p.answer = keys.templ("answer");
  p.intro_file = keys.texts("intro_file", {}), p.intro_after = keys.text("intro_after", "");
  p.delimiter = keys.text("delimiter", p.delimiter), p.between = keys.text("between", p.between);
  const std::string truncate = keys.text("truncate", "never");
  check(truncate == "never" || truncate == "left", "{} must be never or left", keys.place("truncate"));
  p.truncate_left = truncate == "left";
  keys.finish();
}

void read_shots(const Json& table, const std::string& where, Task::Shots& s) {
  const TableKeys keys(table, where + ": [shots]");
  s.count = keys.integer("count", 0, 0);
  s.choice = parse_named(shot_names, keys.text("choice", "first"), "choice", keys.place("choice"));
  keys.finish();
}

void read_choices(const Json& table, const std::string& where, Task& task) {
  const TableKeys keys(table, where + ": [choices]");
  Task::Choices& c = task.choices;
  c.texts = keys.list("texts"), c.labels = keys.list("labels"), c.contexts = keys.list("contexts");
  c.gold = keys.templ("gold"), c.unconditional = keys.templ("unconditional_prompt");
  check(c.gold.given(), "{}: [choices] needs gold", where);
  check(c.texts.given() || c.labels.given(), "{}: [choices] needs texts or labels", where);
  check(c.contexts.given() != task.prompt.item.given(), "{}: needs either prompt.item or choices.contexts",
        where);
  c.letters = !c.texts.given();
  for (const std::string& name : keys.texts("metrics", {"sum"}))
    task.choice_metrics.push_back(parse_choice_metric(name, keys.place("metrics")));
  check(!task.choice_metrics.empty(), "{}: choices.metrics is empty", where);
  keys.finish();
}

void read_generation(const Json& table, const std::string& where, Task::Generation& g) {
  const TableKeys keys(table, where + ": [generation]");
  g.stop = keys.texts("stop", {}), g.max_tokens = keys.integer("max_tokens", g.max_tokens, 1);
  g.samples = keys.integer("samples", 1, 1);
  g.sampling.temperature = keys.number("temperature", 0), g.sampling.top_p = keys.number("top_p", 1);
  g.sampling.top_k = keys.integer("top_k", 0, 0), g.sampling.min_p = keys.number("min_p", 0);
  g.pass_at = keys.integers("pass_at"), g.majority_of = keys.integers("majority_of");
  for (const int64_t k : g.pass_at) check(k >= 1, "{}: generation.pass_at must be at least 1", where);
  for (const int64_t k : g.majority_of) check(k >= 1, "{}: generation.majority_of must be at least 1", where);
  check_sampling(g.sampling);
  keys.finish();
}

// A metric without subjects is asked of those that no other of its name is asked of. Of each subject each
// name is asked once.
void divide_subjects(Task& task) {
  const std::vector<std::string>& all = task.data.subjects;
  std::map<std::string, std::map<std::string, int>> asked;
  for (const AnswerMetric& metric : task.answer_metrics)
    for (const std::string& subject : metric.subjects) {
      check(std::find(all.begin(), all.end(), subject) != all.end(),
            "{}: metric {} names '{}', which is no subject{}", task.where, metric.name, subject,
            did_you_mean(subject, all));
      check(asked[metric.name][subject]++ == 0, "{}: two metrics are named '{}' for subject {}", task.where,
            metric.name, subject);
    }
  std::set<std::string> whole;  // names of metrics that are asked of all the other subjects
  for (AnswerMetric& metric : task.answer_metrics) {
    if (!metric.subjects.empty()) continue;
    check(whole.insert(metric.name).second, "{}: two metrics are named '{}'", task.where, metric.name);
    if (!asked.contains(metric.name)) continue;
    for (const std::string& subject : all)
      if (!asked[metric.name].contains(subject)) metric.subjects.push_back(subject);
    check(!metric.subjects.empty(), "{}: a metric {} is asked of no subject", task.where, metric.name);
  }
  for (const auto& [name, subjects] : asked)
    check(whole.contains(name) || subjects.size() == all.size(),
          "{}: metric {} is not asked of every subject", task.where, name);
}

void read_metrics(const Json& list, Task& task) {
  check(list.is_array() && !list.empty(), "{}: needs a [[metric]]", task.where);
  for (const Json& table : list)
    task.answer_metrics.push_back(parse_answer_metric(table, task.where + ": [[metric]]"));
  divide_subjects(task);
}

void read_categories(const Json& table, Task& task) {
  for (const auto& [name, subjects] : table.items()) {
    const auto list = read_value<std::vector<std::string>>(subjects, {task.where, "categories." + name});
    for (const std::string& subject : list)
      check(std::find(task.data.subjects.begin(), task.data.subjects.end(), subject) !=
                task.data.subjects.end(),
            "{}: categories.{} names '{}', which is no subject{}", task.where, name, subject,
            did_you_mean(subject, task.data.subjects));
    task.categories.emplace_back(name, list);
  }
}

}  // namespace

Task parse_task(const std::string& toml, const std::string& where) {
  const Json json = parse_toml(toml, where);
  const TableKeys keys(json, where);
  Task task;
  task.source = toml, task.where = where;
  task.name = keys.text("name", "");
  check(!task.name.empty() && task.name.find_first_of("/, \t\n") == std::string::npos,
        "{}: needs a name, without commas, blanks and slashes", where);
  task.description = keys.text("description", ""), task.version = keys.integer("version", 1, 1);
  task.chat = keys.truth("chat", false);
  task.form = parse_named(form_names, keys.text("form", "choice"), "form", keys.place("form"));
  task.id = keys.templ("id"), task.cluster = keys.templ("cluster"), task.document = keys.templ("document");
  task.window = keys.integer("window", task.window, 2);
  const TableKeys fields(keys.table("fields"), where + ": [fields]");
  for (const auto& [name, source] : keys.table("fields").items())
    task.fields.emplace_back(name, fields.templ(name));
  read_data(keys.table("data"), where, task.data);
  read_prompt(keys.table("prompt"), where, task.prompt);
  read_shots(keys.table("shots"), where, task.shots);
  if (task.form == TaskForm::choice) read_choices(keys.table("choices"), where, task);
  if (task.form == TaskForm::generate) {
    check(task.prompt.item.given(), "{}: needs prompt.item", where);
    read_generation(keys.table("generation"), where, task.generation);
    read_metrics(keys.table("metric"), task);
  }
  if (task.form == TaskForm::text)
    check(task.document.given() && !task.chat, "{}: needs document, and has no chat form", where);
  check(task.shots.count == 0 || !task.data.shots.empty(), "{}: shots need data.shots, where they are from",
        where);
  check(task.shots.count == 0 || task.form == TaskForm::choice || task.prompt.answer.given(),
        "{}: shots need prompt.answer", where);
  read_categories(keys.table("categories"), task);
  keys.finish();
  return task;
}

}  // namespace fathom
