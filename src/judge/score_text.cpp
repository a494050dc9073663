#include "judge/score_text.h"

#include <fmt/format.h>

namespace fathom {

std::string interval_text(const std::optional<Interval>& interval, int digits) {
  return interval ? fmt::format("[{:.{}f}, {:.{}f}]", interval->low, digits, interval->high, digits) : "-";
}

OrderedJson interval_json(const std::optional<Interval>& interval) {
  return interval ? OrderedJson{interval->low, interval->high} : OrderedJson(nullptr);
}

std::string reasons_text(const std::map<std::string, int64_t>& failures) {
  std::string text;
  for (const auto& [reason, count] : failures)
    text += fmt::format("{}{} x {}", text.empty() ? "" : ", ", count, reason);
  return text;
}

}  // namespace fathom
