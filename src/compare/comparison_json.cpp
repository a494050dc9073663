// A comparison as JSON: for programs, and as what the page shows.
#include "compare/comparison.h"

namespace fathom {
namespace {

OrderedJson optional_json(const auto& value) {
  return value ? OrderedJson(*value) : OrderedJson();
}

const char* name_of(Unit unit) {
  return unit == Unit::share ? "share" : unit == Unit::bits ? "bits" : "rating";
}

OrderedJson model_json(const EvaluatedRun& run) {
  OrderedJson json = {{"name", run.name}, {"path", run.path}};
  if (run.training.tokens) json["trained_tokens"] = *run.training.tokens;
  if (run.training.step) json["step"] = *run.training.step;
  if (!run.series.empty()) json["series"] = run.series;
  return json;
}

OrderedJson value_json(const std::optional<MeasuredValue>& value) {
  if (!value) return nullptr;
  OrderedJson json = {{"value", value->value}, {"items", value->items}};
  if (value->error) json["error"] = *value->error;
  if (value->low) json["low"] = *value->low, json["high"] = *value->high;
  return json;
}

OrderedJson pair_json(const PairedDifference& d) {
  OrderedJson json = {{"difference", d.difference},
                      {"low", optional_json(d.low)},
                      {"high", optional_json(d.high)},
                      {"p", d.p}};
  if (d.only_first) json["only_first"] = *d.only_first, json["only_second"] = *d.only_second;
  return json;
}

// Of every two models, second less first: [first, second, {...}].
OrderedJson pairs_json(const Measure& m) {
  OrderedJson all = OrderedJson::array();
  for (size_t a = 0; a < m.pairs.size(); ++a)
    for (size_t b = a + 1; b < m.pairs.size(); ++b) {
      if (!m.pairs[a][b]) continue;
      OrderedJson pair = pair_json(*m.pairs[a][b]);
      if (!m.holm.empty() && m.holm[a][b]) pair["holm"] = {*m.holm[a][b], *m.holm[b][a]};
      all.push_back({a, b, std::move(pair)});
    }
  return all;
}

OrderedJson measure_json(const Comparison& c, const Measure& m) {
  OrderedJson json = {{"task", m.task}, {"metric", m.metric}, {"over", m.over}, {"unit", name_of(m.unit)}};
  if (m.headline) json["headline"] = true;
  for (const std::optional<MeasuredValue>& value : m.values) json["values"].push_back(value_json(value));
  if (!m.pairs.empty()) {
    json["test"] = m.test;
    json["paired_items"] = m.items, json["paired_clusters"] = m.clusters;
    json["pairs"] = pairs_json(m);
  }
  for (size_t i = 0; i < c.published.models.size(); ++i)
    if (const auto cell = c.published_cell(c.published.models[i], m)) {
      OrderedJson published = {{"model", i}, {"value", cell->value}};
      if (!cell->note.empty()) published["note"] = cell->note;
      json["published"].push_back(std::move(published));
    }
  return json;
}

OrderedJson task_json(const JoinedTask& task) {
  const ScoredTask& first = *task.of_run[0];
  OrderedJson json = {{"name", task.task}, {"items", task.items.size()}, {"left_out", task.left_out}};
  if (first.has_shots()) json["shots"] = first.shots;
  if (first.limit > 0) json["limit"] = first.limit;
  return json;
}

}  // namespace

OrderedJson comparison_json(const Comparison& c) {
  OrderedJson json = {{"baseline", c.baseline}, {"models", OrderedJson::array()}};
  for (const EvaluatedRun& run : c.runs) json["models"].push_back(model_json(run));
  json["published_models"] = OrderedJson::array();
  for (const PublishedModel& model : c.published.models)
    json["published_models"].push_back(
        {{"name", model.name}, {"source", "DeepSeek-V2 (arXiv 2405.04434), " + model.source}});
  json["tasks"] = OrderedJson::array();
  for (const JoinedTask& task : c.tasks) json["tasks"].push_back(task_json(task));
  json["comparisons"] = c.comparisons;
  json["measures"] = OrderedJson::array();
  for (const Measure& m : c.measures) json["measures"].push_back(measure_json(c, m));
  json["series"] = OrderedJson::array();
  for (const auto& [name, members] : c.series())
    json["series"].push_back({{"name", name}, {"models", members}});
  json["remarks"] = c.remarks;
  return json;
}

}  // namespace fathom
