#include "base/parse_number.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <type_traits>

#include "base/error.h"

namespace fathom {
namespace {

constexpr size_t longest_shown = 40;

// `name_limits` names also the ends that the type itself sets.
template <class T>
std::string describe(const Allowed<T>& a, bool name_limits) {
  const bool low = name_limits || std::is_unsigned_v<T> || a.low > std::numeric_limits<T>::lowest(),
             high = name_limits || a.high < std::numeric_limits<T>::max();
  if (low && high && !a.low_excluded && !a.high_excluded)
    return fmt::format("between {} and {}", a.low, a.high);
  std::string text;
  if (low) text = fmt::format("{} {}", a.low_excluded ? "above" : "at least", a.low);
  if (high) text += fmt::format("{}{} {}", low ? " and " : "", a.high_excluded ? "below" : "at most", a.high);
  return text;
}

}  // namespace

template <class T>
std::string range_text(const Allowed<T>& allowed) {
  return describe(allowed, false);
}

std::string shortened(const std::string& text) {
  return text.size() <= longest_shown ? text : text.substr(0, longest_shown) + "...";
}

template <class T>
T parse_number(const std::string& name, const std::string& text, const Allowed<T>& allowed) {
  constexpr bool whole = std::is_integral_v<T>;
  T value{};
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  const bool read = stop == end && error != std::errc::invalid_argument;
  const bool overflow = error == std::errc::result_out_of_range;
  bool negative_unsigned = false;
  if constexpr (std::is_unsigned_v<T>)
    negative_unsigned =
        text.size() > 1 && text[0] == '-' &&
        std::all_of(text.begin() + 1, text.end(), [](char c) { return c >= '0' && c <= '9'; });
  bool finite = true;
  if constexpr (!whole) {
    finite = std::isfinite(value);
    check(!read || !overflow, "{} is out of range for a 64-bit number: {}", name, shortened(text));
  }
  const bool number = (read && finite) || negative_unsigned;
  const std::string range = describe(allowed, overflow);
  check(number, "{} must be a {}{}{}, got '{}'", name, whole ? "whole number" : "number",
        range.empty() ? "" : ", ", range, shortened(text));
  const bool fits = !overflow && !negative_unsigned && value >= allowed.low && value <= allowed.high &&
                    !(allowed.low_excluded && value == allowed.low) &&
                    !(allowed.high_excluded && value == allowed.high);
  check(fits, "{} must be {}, got {}", name, range, shortened(text));
  return value;
}

template int parse_number(const std::string&, const std::string&, const Allowed<int>&);
template int64_t parse_number(const std::string&, const std::string&, const Allowed<int64_t>&);
template uint64_t parse_number(const std::string&, const std::string&, const Allowed<uint64_t>&);
template double parse_number(const std::string&, const std::string&, const Allowed<double>&);
template std::string range_text(const Allowed<double>&);
template std::string range_text(const Allowed<int64_t>&);
template std::string range_text(const Allowed<uint64_t>&);

}  // namespace fathom
