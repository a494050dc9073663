#include "train/metrics.h"

#include <chrono>
#include <cmath>
#include <filesystem>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "io/descriptor.h"
#include "io/file.h"
#include "io/json.h"

namespace fathom {
namespace {

namespace fs = std::filesystem;

// The line belongs to a step up to `last`. The last line of a killed run may be torn: it counts as later.
bool keep(std::string_view line, int64_t last, const std::string& path) {
  if (line.empty() || line.back() != '\n') return false;
  const Json json = parse_json(line, path);
  return JsonObject(json, path).required<int64_t>("step") <= last;
}

// Makes DIR/NAME ready to continue after step `last` and returns its path.
std::string ready_lines(const std::string& dir, const char* name, int64_t last) {
  std::error_code error;
  fs::create_directories(dir, error);
  check(!error, "{}: cannot make the folder: {}", dir, error.message());
  const std::string path = file_in(dir, name);
  if (!fs::exists(path)) return path;
  const std::string old = last < 0 ? std::string() : read_file(path);
  std::string kept;
  for (size_t at = 0, line = 1; at < old.size(); ++line) {
    const size_t end = std::min(old.find('\n', at), old.size() - 1) + 1;
    const std::string_view text = std::string_view(old).substr(at, end - at);
    if (keep(text, last, fmt::format("{}:{}", path, line))) kept += text;
    at = end;
  }
  if (last < 0 || kept.size() != old.size()) write_file(path, kept);
  return path;
}

double now() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

std::string line_start(double time, int64_t step) {
  return fmt::format("{{\"step\":{},\"time\":{:.3f}", step, time);
}

// ,"NAME":[[...],[...]]: a list for each MoE layer.
template <class RowOf>
std::string lists_of(const char* name, const ExpertLoad& load, const RowOf& row_of) {
  std::string lists;
  for (const int64_t layer : load.moe_layers)
    lists += fmt::format("{}[{}]", lists.empty() ? "" : ",", fmt::join(row_of(layer), ","));
  return fmt::format(",\"{}\":[{}]", name, lists);
}

std::string load_line(double time, int64_t step, const ExpertLoad& load) {
  std::string line =
      line_start(time, step) + fmt::format(",\"moe_layers\":[{}]", fmt::join(load.moe_layers, ","));
  line += lists_of("expert_choices", load, [&](int64_t layer) { return load.experts_of(layer); });
  line += lists_of("group_choices", load, [&](int64_t layer) { return load.groups_of(layer); });
  line += lists_of("group_tokens", load, [&](int64_t layer) { return load.sent_of(layer); });
  if (!load.dropped.empty()) {
    std::vector<int32_t> dropped;
    for (const int64_t layer : load.moe_layers) dropped.push_back(load.dropped[static_cast<size_t>(layer)]);
    line += fmt::format(",\"dropped_choices\":[{}]", fmt::join(dropped, ","));
  }
  return line + "}\n";
}

// A scalar of each layer is TAG/layer_I: TensorBoard shows those of one tag together.
struct LayerScalars {
  std::vector<std::string> names;
  std::vector<double> values;

  void add(const char* tag, int64_t layer, double value) {
    names.push_back(fmt::format("{}/layer_{}", tag, layer));
    values.push_back(value);
  }
  std::vector<NamedValue> all() const {
    std::vector<NamedValue> all;
    for (size_t i = 0; i < names.size(); ++i) all.emplace_back(names[i], values[i]);
    return all;
  }
};

LayerScalars load_scalars(const ExpertLoad& load) {
  LayerScalars scalars;
  for (const int64_t layer : load.moe_layers) {
    scalars.add("expert_load", layer, load.expert_load(layer));
    if (load.D > 1) scalars.add("group_load", layer, load.group_load(layer));
    if (load.D > 1) scalars.add("group_tokens_load", layer, load.sent_load(layer));
    if (!load.dropped.empty()) scalars.add("dropped", layer, load.dropped_share(layer));
  }
  return scalars;
}

}  // namespace

Metrics::Metrics(const std::string& dir, int64_t resume_from_step)
    : lines_(ready_lines(dir, "metrics.jsonl", resume_from_step), AppendFile::Mode::extend),
      load_path_(ready_lines(dir, "expert_load.jsonl", resume_from_step)),
      samples_path_(ready_lines(dir, "samples.jsonl", resume_from_step)),
      rollouts_path_(ready_lines(dir, "rollouts.jsonl", resume_from_step)),
      events_(dir, resume_from_step + 1) {}

void Metrics::log(int64_t step, std::span<const NamedValue> values) {
  const double time = now();
  std::string line = line_start(time, step);
  for (const auto& [name, value] : values)
    line +=
        fmt::format(",{}:{}", json_quoted(name), std::isfinite(value) ? fmt::format("{}", value) : "null");
  lines_.append(line + "}\n");
  events_.scalars(time, step, values);
}

void Metrics::log_load(int64_t step, const ExpertLoad& load) {
  if (load.moe_layers.empty()) return;
  const double time = now();
  if (!load_lines_) load_lines_.emplace(load_path_, AppendFile::Mode::extend);
  load_lines_->append(load_line(time, step, load));
  const LayerScalars scalars = load_scalars(load);
  events_.scalars(time, step, scalars.all());
}

void Metrics::log_sample(int64_t step, const std::string& prompt, const std::string& text) {
  if (!sample_lines_) sample_lines_.emplace(samples_path_, AppendFile::Mode::extend);
  sample_lines_->append(line_start(now(), step) + ",\"prompt\":" + json_quoted(prompt) +
                        ",\"text\":" + json_quoted(text) + "}\n");
}

void Metrics::log_rollout(int64_t step, const Json& record) {
  if (!rollout_lines_) rollout_lines_.emplace(rollouts_path_, AppendFile::Mode::extend);
  const std::string fields = record.dump(-1, ' ', false, Json::error_handler_t::replace);
  rollout_lines_->append(line_start(now(), step) + "," + fields.substr(1) + "\n");
}

void Metrics::flush() {
  lines_.sync();
  if (load_lines_) load_lines_->sync();
  if (sample_lines_) sample_lines_->sync();
  if (rollout_lines_) rollout_lines_->sync();
  events_.sync();
}

}  // namespace fathom
