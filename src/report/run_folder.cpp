#include "report/run_folder.h"

#include <fmt/format.h>

#include <filesystem>

#include "base/error.h"
#include "io/descriptor.h"
#include "io/lines.h"
#include "page/page_json.h"
#include "report/metrics_line.h"
#include "report/thinning.h"

namespace fathom {
namespace {

namespace fs = std::filesystem;

constexpr int64_t known_format = 1;  // of run.json and of trainer.json

// An object within an object as keys with a dot.
void flatten(const Json& object, const std::string& prefix, OrderedJson& out) {
  for (const auto& [key, value] : object.items()) {
    if (value.is_object())
      flatten(value, prefix + key + ".", out);
    else
      out[prefix + key] = value;
  }
}

Json checked_description(const std::string& path) {
  Json json = read_json(path);
  const auto format = JsonObject(json, path).required<int64_t>("format");
  check(format == known_format, "{}: format {} is not known: expected {}", path, format, known_format);
  check(json.contains("recipe") && json["recipe"].is_object(), "{}: field 'recipe' must be an object", path);
  return json;
}

// The newest checkpoint that has what it was made with; a run of an earlier release has no run.json.
std::string newest_trainer_json(const std::string& run) {
  std::string newest;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(run, ignored)) {
    const std::string file = file_in(entry.path().string(), "trainer.json");
    if (entry.path().filename().string().starts_with("step-") && fs::exists(file))
      newest = std::max(newest, file);
  }
  return newest;
}

std::vector<RunRollBack> rollbacks_of(const Json& description, const std::string& path) {
  std::vector<RunRollBack> all;
  const JsonObject object(description, path);
  for (const Json& one : object.optional<std::vector<Json>>("rollbacks", {})) {
    const JsonObject o(one, path);
    all.push_back({o.required<int64_t>("step"), o.required<int64_t>("to"), o.required<std::string>("why")});
  }
  return all;
}

void read_description(RunFolder& run) {
  OrderedJson& recipe = run.recipe;
  std::string path = file_in(run.path, "run.json");
  const bool described = fs::exists(path);
  if (!described) path = newest_trainer_json(run.path);
  if (path.empty()) return;
  const Json description = checked_description(path);
  run.rollbacks = rollbacks_of(description, path);
  flatten(description["recipe"], "", recipe);
  const std::string config = file_in(folder_of(path), "config.json");
  if (described && description.contains("config"))
    flatten(description["config"], "model.", recipe);
  else if (fs::exists(config))
    flatten(read_json(config), "model.", recipe);
  if (description.contains("ranks")) recipe["ranks"] = description["ranks"];
}

TextSample read_sample(const std::string& line, const std::string& where, size_t most) {
  const Json json = parse_json(line, where);
  const JsonObject object(json, where);
  return {.step = checked_step(object),
          .prompt = shortened(object.required<std::string>("prompt"), most),
          .text = shortened(object.required<std::string>("text"), most)};
}

}  // namespace

std::vector<TextSample> read_samples(const std::string& path, const ReportLimits& limits) {
  std::vector<TextSample> samples;
  if (!fs::exists(path)) return samples;
  LineReader reader(path);
  for (std::string line; reader.next(line) && reader.whole();) {
    const std::string where = fmt::format("{}:{}", path, reader.line_number());
    TextSample sample = read_sample(line, where, limits.text);
    while (!samples.empty() && samples.back().step > sample.step) samples.pop_back();  // written again
    samples.push_back(std::move(sample));
    if (samples.size() > 16 * limits.samples) samples = thinned(std::move(samples), 8 * limits.samples);
  }
  return thinned(std::move(samples), limits.samples);
}

RunFolder read_run_folder(const std::string& path, const ReportLimits& limits) {
  std::error_code ignored;
  check(fs::is_directory(path, ignored), "{}: there is no such folder", path);
  const std::string metrics = file_in(path, "metrics.jsonl");
  check(fs::exists(metrics), "{}: there is none; {} is not what fathom train has written", metrics, path);
  RunFolder run;
  run.path = path;
  read_description(run);
  run.metrics = read_metrics(metrics, limits.buckets);
  run.load = read_load(file_in(path, "expert_load.jsonl"), limits.load_columns, limits.load_bytes);
  run.samples = read_samples(file_in(path, "samples.jsonl"), limits);
  run.rollouts = read_rollouts(file_in(path, "rollouts.jsonl"), limits.rollouts);
  return run;
}

}  // namespace fathom
