// Folders of results as `fathom eval` and `fathom judge` write them, without a model.
#pragma once
#include <fmt/format.h>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "io/file.h"
#include "io/json.h"
#include "support/temp_dir.h"

namespace fathom::testing {

// A record, and what may be told of it.
struct MadeItem {
  std::string id;
  std::map<std::string, double> scores;
  std::string subject = {}, cluster = {}, prompt = {};
  OrderedJson more = OrderedJson::object();
};

struct MadeTask {
  std::string name = "t";
  std::vector<std::string> metrics = {"sum"};
  std::vector<MadeItem> items;
  OrderedJson run = OrderedJson::object();     // replaces what TASK.run.json has
  OrderedJson result = OrderedJson::object();  // and TASK.result.json

  std::string records() const {
    std::string text;
    for (const MadeItem& item : items) {
      OrderedJson record = {
          {"id", item.id}, {"prompt_hash", "h" + item.prompt + item.id}, {"prompts", {"Q " + item.id}}};
      if (!item.subject.empty()) record["subject"] = item.subject;
      if (!item.cluster.empty()) record["cluster"] = item.cluster;
      for (const auto& [name, score] : item.scores) record["scores"][name] = score;
      record.update(item.more);
      text += record.dump() + "\n";
    }
    return text;
  }

  OrderedJson identity() const {
    OrderedJson json = {{"task", name},   {"task_version", 1}, {"task_file", "f1"},
                        {"shots", 0},     {"samples", 1},      {"data", {{"items.jsonl", "d1"}}},
                        {"weights", "w"}, {"limit", 0},        {"seed", 1}};
    json.update(run);
    return json;
  }

  OrderedJson averages() const {
    OrderedJson json = {{"task", name}, {"version", 1}, {"items", items.size()}};
    std::set<std::string> clusters, subjects;
    for (const MadeItem& item : items) {
      clusters.insert(item.subject + "\n" + (item.cluster.empty() ? item.id : item.cluster));
      if (!item.subject.empty()) subjects.insert(item.subject);
    }
    json["clusters"] = clusters.size();
    for (const std::string& metric : metrics) {
      double sum = 0, weights = 0;
      for (const MadeItem& item : items) {
        const double weight = item.more.contains("weights") ? item.more["weights"].value(metric, 1.0) : 1.0;
        sum += weight * item.scores.at(metric), weights += weight;
      }
      const double mean = sum / weights;
      json["averages"].push_back({{"metric", metric},
                                  {"over", "items"},
                                  {"items", items.size()},
                                  {"value", mean},
                                  {"error", 0.01},
                                  {"low", mean - 0.02},
                                  {"high", mean + 0.02}});
    }
    if (!subjects.empty()) json["subjects"] = subjects.size();
    json.update(result);
    return json;
  }

  void write(const std::string& folder) const {
    std::filesystem::create_directories(folder);
    write_file(folder + "/" + name + ".jsonl", records());
    write_file(folder + "/" + name + ".run.json", identity().dump(1));
    write_file(folder + "/" + name + ".result.json", averages().dump(1));
  }
};

// 0/1 scores, "10" or "1" for right: an item for each letter.
inline MadeTask made_task(const std::string& right, const std::string& name = "t",
                          const std::string& metric = "sum") {
  MadeTask task;
  task.name = name, task.metrics = {metric};
  for (size_t i = 0; i < right.size(); ++i)
    task.items.push_back({std::to_string(i), {{metric, right[i] == '1' ? 1.0 : 0.0}}});
  return task;
}

}  // namespace fathom::testing
