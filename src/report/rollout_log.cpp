#include "report/rollout_log.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <limits>

#include "base/error.h"
#include "io/lines.h"
#include "page/page_json.h"
#include "report/metrics_line.h"
#include "report/thinning.h"

namespace fathom {
namespace {

std::optional<double> number_or_null(const JsonObject& line, const char* name) {
  if (!line.has(name)) return std::nullopt;
  return line.required<double>(name);
}

// The best and the worst of many, and evenly between.
void finish(RolloutGroup& group, const RolloutLimits& limits) {
  const auto rank = [](const RolloutAnswer& a) { return a.reward.value_or(-std::numeric_limits<double>::infinity()); };
  std::stable_sort(group.answers.begin(), group.answers.end(),
                   [&](const RolloutAnswer& a, const RolloutAnswer& b) { return rank(a) > rank(b); });
  group.count = static_cast<int64_t>(group.answers.size());
  if (group.answers.size() <= limits.answers) return;
  RolloutAnswer best = std::move(group.answers.front());
  group.answers.erase(group.answers.begin());
  group.answers = thinned(std::move(group.answers), limits.answers - 1);
  group.answers.insert(group.answers.begin(), std::move(best));
}

class Groups {
 public:
  explicit Groups(const RolloutLimits& limits) : limits_(limits) {}

  void add(const Json& json, const std::string& where) {
    const JsonObject line(json, where);
    const int64_t step = checked_step(line);
    std::string prompt = shortened(line.required<std::string>("prompt"), limits_.text);
    RolloutAnswer answer = rollout_answer(line, limits_);
    while (!all_.empty() && all_.back().step > step) all_.pop_back(), open_ = false;  // written again
    if (!open_ || all_.back().step != step || all_.back().prompt != prompt) {
      close();
      all_.push_back({.step = step, .prompt = std::move(prompt), .count = 0, .answers = {}});
      open_ = true;
    }
    all_.back().answers.push_back(std::move(answer));
  }
  std::vector<RolloutGroup> take() {
    close();
    return thinned(std::move(all_), limits_.groups);
  }

 private:
  void close() {
    if (open_) finish(all_.back(), limits_);
    open_ = false;
    if (all_.size() > 8 * limits_.groups) all_ = thinned(std::move(all_), 4 * limits_.groups);
  }

  const RolloutLimits limits_;
  std::vector<RolloutGroup> all_;
  bool open_ = false;  // the last one gets more
};

}  // namespace

RolloutAnswer rollout_answer(const JsonObject& line, const RolloutLimits& limits) {
  RolloutAnswer answer{.text = shortened(line.required<std::string>("answer"), limits.text),
                       .tokens = line.required<int64_t>("tokens"),
                       .truncated = line.required<bool>("truncated"),
                       .reward = number_or_null(line, "reward"),
                       .advantage = number_or_null(line, "advantage"),
                       .parts = {}};
  const Json parts = line.required<Json>("parts");
  check(parts.is_object(), "{}: field 'parts' must be an object", line.where());
  for (const auto& [name, value] : parts.items()) {
    check(value.is_number() || value.is_string(), "{}: parts.{} must be a number or a text", line.where(), name);
    if (answer.parts.size() == limits.parts) break;
    const std::string text = value.is_string() ? value.get<std::string>() : fmt::format("{:.4g}", value.get<double>());
    answer.parts.emplace_back(shortened(name, 100), shortened(text, 200));
  }
  return answer;
}

std::vector<RolloutGroup> read_rollouts(const std::string& path, const RolloutLimits& limits) {
  if (!std::filesystem::exists(path)) return {};
  Groups groups(limits);
  LineReader reader(path);
  for (std::string line; reader.next(line) && reader.whole();) {
    const std::string where = fmt::format("{}:{}", path, reader.line_number());
    groups.add(parse_json(line, where), where);
  }
  return groups.take();
}

}  // namespace fathom
