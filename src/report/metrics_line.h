// A line of metrics.jsonl: {"step": 7, "time": 1.7e9, "loss": 2.5, ...}, each value a number, or null for one
// that was not finite.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "io/json.h"

namespace fathom {

// Kept from line to line: most lines have the names of the line before, and then no text is copied.
class MetricsLine {
 public:
  // Error "PATH:NUMBER: ..." for a line that is none.
  void parse(std::string_view line, const std::string& path, int64_t number);

  int64_t step() const { return step_; }
  // All but the step.
  const std::vector<std::string>& names() const { return names_; }
  const std::vector<double>& values() const { return values_; }  // NaN: null
  // names() is not that of the line before.
  bool new_names() const { return new_names_; }

 private:
  bool parse_plain(std::string_view line);
  void parse_any(std::string_view line, const std::string& where);
  bool put(size_t index, std::string_view name, double value);

  int64_t step_ = 0;
  std::vector<std::string> names_;
  std::vector<double> values_;
  bool new_names_ = true;
};

// The step alone, quickly: for a first pass over a file whose lines are parsed in a second one. A line that
// is none is an Error here or there; `where()` is the place that it names.
std::optional<int64_t> plain_step(std::string_view line);
int64_t any_step(std::string_view line, const std::string& where);
template <class Where>
int64_t step_of_line(std::string_view line, const Where& where) {
  const std::optional<int64_t> step = plain_step(line);
  return step ? *step : any_step(line, where());
}

// The field 'step' of a line of any of a run's logs: 0 to 2^53.
int64_t checked_step(const JsonObject& line);

}  // namespace fathom
