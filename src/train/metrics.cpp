#include "train/metrics.h"

#include <chrono>
#include <cmath>
#include <filesystem>
#include <string_view>

#include "base/error.h"
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

// Makes DIR/metrics.jsonl ready to continue after step `last` and returns its path.
std::string ready_lines(const std::string& dir, int64_t last) {
  std::error_code error;
  fs::create_directories(dir, error);
  check(!error, "{}: cannot make the folder: {}", dir, error.message());
  const std::string path = dir + "/metrics.jsonl";
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

}  // namespace

Metrics::Metrics(const std::string& dir, int64_t resume_from_step)
    : lines_(ready_lines(dir, resume_from_step), AppendFile::Mode::extend),
      events_(dir, resume_from_step + 1) {}

void Metrics::log(int64_t step, std::span<const NamedValue> values) {
  const double now =
      std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
  std::string line = fmt::format("{{\"step\":{},\"time\":{:.3f}", step, now);
  for (const auto& [name, value] : values)
    line +=
        fmt::format(",{}:{}", json_quoted(name), std::isfinite(value) ? fmt::format("{}", value) : "null");
  lines_.append(line + "}\n");
  events_.scalars(now, step, values);
}

void Metrics::flush() {
  lines_.sync();
  events_.sync();
}

}  // namespace fathom
