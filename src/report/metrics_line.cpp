// A run of a million steps has some 300 MB of these lines. What Metrics writes is read here directly; a line
// in any other notation goes through the JSON parser, which also has the words for what is wrong with it.
#include "report/metrics_line.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

#include "base/error.h"

namespace fathom {
namespace {

constexpr int64_t most_steps = int64_t{1} << 53;  // every reader of JSON has them exactly
constexpr std::string_view step_prefix = "{\"step\":";

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

class Scanner {
 public:
  explicit Scanner(std::string_view text) : left_(text) {}

  bool eat(char c) {
    if (left_.empty() || left_.front() != c) return false;
    left_.remove_prefix(1);
    return true;
  }
  bool at_end() const { return left_.empty(); }

  // A text of plain letters.
  bool name(std::string_view& name) {
    if (!eat('"')) return false;
    size_t n = 0;
    while (n < left_.size() && left_[n] >= ' ' && left_[n] < 0x7f && left_[n] != '"' && left_[n] != '\\') ++n;
    name = left_.substr(0, n);
    left_.remove_prefix(n);
    return eat('"');
  }

  // A number of JSON's grammar, which from_chars alone does not hold to; null is NaN.
  bool value(double& value) {
    if (left_.starts_with("null")) {
      value = std::numeric_limits<double>::quiet_NaN();
      left_.remove_prefix(4);
      return true;
    }
    const char *begin = left_.data(), *end = begin + left_.size();
    const char* digits = begin + (begin < end && *begin == '-');
    if (digits == end || !is_digit(*digits)) return false;
    if (*digits == '0' && digits + 1 < end && is_digit(digits[1])) return false;
    const auto [after, error] = std::from_chars(begin, end, value);
    if (error != std::errc()) return false;
    const char* point = std::find(begin, after, '.');
    if (point != after && (point + 1 == after || !is_digit(point[1]))) return false;
    left_.remove_prefix(static_cast<size_t>(after - begin));
    return true;
  }

 private:
  std::string_view left_;
};

}  // namespace

void MetricsLine::parse(std::string_view line, const std::string& path, int64_t number) {
  new_names_ = false;
  if (!parse_plain(line)) parse_any(line, fmt::format("{}:{}", path, number));
}

// Whether the name was not there before in this line.
bool MetricsLine::put(size_t index, std::string_view name, double value) {
  if (index == names_.size() || names_[index] != name) {
    names_.resize(index), values_.resize(index);
    if (std::find(names_.begin(), names_.end(), name) != names_.end()) return false;
    names_.emplace_back(name), values_.push_back(value);
    new_names_ = true;
  }
  values_[index] = value;
  return true;
}

bool MetricsLine::parse_plain(std::string_view line) {
  Scanner scanner(line);
  if (!scanner.eat('{')) return false;
  size_t count = 0;
  bool has_step = false;
  do {
    std::string_view name;
    double value;
    if (!scanner.name(name) || !scanner.eat(':') || !scanner.value(value)) return false;
    if (name == "step") {
      if (has_step || !(value >= 0 && value <= most_steps) || value != std::floor(value)) return false;
      has_step = true, step_ = static_cast<int64_t>(value);
    } else if (!put(count++, name, value)) {
      return false;
    }
  } while (scanner.eat(','));
  if (!has_step || !scanner.eat('}') || !scanner.at_end()) return false;
  if (count < names_.size()) names_.resize(count), values_.resize(count), new_names_ = true;
  return true;
}

void MetricsLine::parse_any(std::string_view line, const std::string& where) {
  const Json json = parse_json(line, where);
  step_ = checked_step(JsonObject(json, where));
  names_.clear(), values_.clear(), new_names_ = true;
  for (const auto& [name, value] : json.items()) {
    if (name == "step") continue;
    names_.push_back(name);
    values_.push_back(value.is_null() ? std::numeric_limits<double>::quiet_NaN()
                                      : read_value<double>(value, {where, name}));
  }
}

int64_t checked_step(const JsonObject& line) {
  const auto step = line.required<int64_t>("step");
  check(step >= 0 && step <= most_steps, "{}: field 'step' must be 0 to 2^53, got {}", line.where(), step);
  return step;
}

std::optional<int64_t> plain_step(std::string_view line) {
  if (!line.starts_with(step_prefix)) return std::nullopt;
  const char *begin = line.data() + step_prefix.size(), *end = line.data() + line.size();
  int64_t step = 0;
  const auto [after, error] = std::from_chars(begin, end, step);
  if (error != std::errc() || step < 0 || step > most_steps || after == end ||
      (*after != ',' && *after != '}'))
    return std::nullopt;
  return step;
}

int64_t any_step(std::string_view line, const std::string& where) {
  const Json json = parse_json(line, where);
  return checked_step(JsonObject(json, where));
}

}  // namespace fathom
