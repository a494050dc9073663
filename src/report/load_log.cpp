#include "report/load_log.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <numeric>
#include <string_view>

#include "base/error.h"
#include "io/json.h"
#include "io/mapped_file.h"
#include "report/log_order.h"
#include "report/metrics_line.h"

namespace fathom {
namespace {

// A line of DeepSeek-V2 has 85 KB, and a long run some gigabytes of them: lines are looked for at so many
// places.
constexpr size_t places = 4096, read_whole = 64 << 20;

class Lines {
 public:
  explicit Lines(const std::string& path) : file_(path) {
    const auto bytes = file_.bytes();
    text_ = {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
    const size_t skip = text_.size() > read_whole ? text_.size() / places : 0;
    for (size_t at = 0; at < text_.size();) {
      const size_t end = text_.find('\n', at);
      if (end == std::string_view::npos) break;  // not whole yet
      starts_.push_back(at);
      at = end + 1;
      if (skip == 0 || at + skip >= text_.size()) continue;
      at = text_.find('\n', at + skip);
      at = at == std::string_view::npos ? text_.size() : at + 1;
    }
    keep_those_that_count();
  }

  size_t size() const { return starts_.size(); }
  LoadLine line(size_t i) const { return {text(i), where(i)}; }
  void check_size() const { file_.check_size(); }

 private:
  std::string_view text(size_t i) const {
    return text_.substr(starts_[i], text_.find('\n', starts_[i]) - starts_[i]);
  }
  std::string where(size_t i) const { return fmt::format("{} at byte {}", file_.path(), starts_[i] + 1); }

  void keep_those_that_count() {
    LogOrder order;
    std::vector<int64_t> steps;
    for (size_t i = 0; i < starts_.size(); ++i) {
      steps.push_back(step_of_line(text(i), [&] { return where(i); }));
      order.add(steps.back());
    }
    order.finish();
    std::vector<size_t> kept;
    for (size_t i = 0; i < starts_.size(); ++i) {
      if (!order.counts(static_cast<int64_t>(i), steps[i])) continue;
      if (!kept.empty() && steps[i] == last_step_) kept.pop_back();  // one line a step
      kept.push_back(starts_[i]), last_step_ = steps[i];
    }
    starts_ = std::move(kept);
  }

  MappedFile file_;
  std::string_view text_;
  std::vector<size_t> starts_;
  int64_t last_step_ = -1;
};

// Number i of n, of `count` lines, the first and the last among them.
size_t chosen(size_t i, size_t n, size_t count) {
  return n < 2 ? count - 1 : i * (count - 1) / (n - 1);
}

void add_codes(const std::vector<int64_t>& choices, std::string& codes) {
  const double total = static_cast<double>(std::accumulate(choices.begin(), choices.end(), int64_t{0}));
  const double mean = std::max(total, 1.0) / static_cast<double>(choices.size());
  for (const int64_t n : choices) codes += static_cast<char>(load_code(static_cast<double>(n) / mean));
}

}  // namespace

uint8_t load_code(double ratio) {
  if (!(ratio > 0)) return 0;
  return static_cast<uint8_t>(std::clamp(std::round(128 + 24 * std::log2(ratio)), 1.0, 255.0));
}

LoadLine::LoadLine(std::string_view line, const std::string& where) {
  const Json json = parse_json(line, where);
  const JsonObject object(json, where);
  step = checked_step(object);
  layers = object.required<std::vector<int64_t>>("moe_layers");
  for (const Json& row : object.required<std::vector<Json>>("expert_choices"))
    choices.push_back(read_value<std::vector<int64_t>>(row, {where, "expert_choices"}));
  check(!layers.empty() && choices.size() == layers.size(),
        "{}: field 'expert_choices' has {} lists for {} MoE layers", where, choices.size(), layers.size());
  for (const auto& row : choices) {
    check(!row.empty() && row.size() == choices.front().size(),
          "{}: field 'expert_choices' has lists of {} and of {} experts", where, choices.front().size(),
          row.size());
    for (const int64_t n : row)
      check(n >= 0 && n <= int64_t{1} << 40, "{}: field 'expert_choices' has {}: expected 0 to 2^40", where,
            n);
  }
}

LoadLog read_load(const std::string& path, int64_t columns, int64_t bytes) {
  LoadLog log;
  if (!std::filesystem::exists(path)) return log;
  const Lines lines(path);
  if (lines.size() == 0) return log;
  const LoadLine first = lines.line(0);
  log.layers = first.layers, log.experts = static_cast<int64_t>(first.choices.front().size());
  const int64_t of_step = static_cast<int64_t>(log.layers.size()) * log.experts;
  const auto n = std::clamp<size_t>(static_cast<size_t>(std::min(columns, bytes / of_step)), 1, lines.size());
  for (size_t i = 0; i < n; ++i) {
    const LoadLine line = lines.line(chosen(i, n, lines.size()));
    const auto experts = static_cast<int64_t>(line.choices.front().size());
    check(line.layers == log.layers && experts == log.experts,
          "{}: step {} has {} MoE layers of {} experts, step {} {} of {}, or others", path, line.step,
          line.layers.size(), experts, first.step, log.layers.size(), log.experts);
    log.steps.push_back(line.step);
    for (const auto& row : line.choices) add_codes(row, log.codes);
  }
  lines.check_size();
  return log;
}

}  // namespace fathom
