#include "cli/flags.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/error.h"

namespace fathom {
namespace {

constexpr size_t longest_shown = 40;

std::string shown(const std::string& text) {
  return text.size() <= longest_shown ? text : text.substr(0, longest_shown) + "...";
}

template <class T>
std::string range_text(const Allowed<T>& a, bool name_limits) {
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
T parse_number(const std::string& flag, const std::string& text, const Allowed<T>& allowed) {
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
  if constexpr (!whole) finite = std::isfinite(value);
  const bool number = (read && finite) || negative_unsigned;
  const std::string range = range_text(allowed, overflow);
  check(number, "{} must be a {}{}{}, got '{}'", flag, whole ? "whole number" : "number",
        range.empty() ? "" : ", ", range, shown(text));
  const bool fits = !overflow && !negative_unsigned && value >= allowed.low && value <= allowed.high &&
                    !(allowed.low_excluded && value == allowed.low) &&
                    !(allowed.high_excluded && value == allowed.high);
  check(fits, "{} must be {}, got {}", flag, range, shown(text));
  return value;
}

template int parse_number(const std::string&, const std::string&, const Allowed<int>&);
template int64_t parse_number(const std::string&, const std::string&, const Allowed<int64_t>&);
template uint64_t parse_number(const std::string&, const std::string&, const Allowed<uint64_t>&);
template double parse_number(const std::string&, const std::string&, const Allowed<double>&);

std::vector<int32_t> parse_token_ids(const std::string& where, const std::string& text) {
  constexpr const char* between = " \t\r\n,[]";
  std::vector<int32_t> ids;
  for (size_t at = 0; (at = text.find_first_not_of(between, at)) != std::string::npos;) {
    const size_t end = std::min(text.find_first_of(between, at), text.size());
    int32_t id = 0;
    const auto [stop, error] = std::from_chars(text.data() + at, text.data() + end, id);
    check(error == std::errc() && stop == text.data() + end && id >= 0,
          "{}: '{}' is not a token id, a whole number between 0 and {}", where,
          shown(text.substr(at, end - at)), std::numeric_limits<int32_t>::max());
    ids.push_back(id);
    at = end;
  }
  return ids;
}

std::string flag_name(const std::string& names) {
  return names.substr(names.rfind(',') + 1);
}

CLI::Option* add_choice(CLI::App& command, const std::string& names, const std::string& help,
                        const std::vector<std::string>& choices,
                        const std::function<void(const std::string&)>& take) {
  std::string list;
  for (size_t i = 0; i < choices.size(); ++i)
    list += (i == 0 ? "" : i + 1 < choices.size() ? ", " : " or ") + choices[i];
  const auto read = [take, list, choices, flag = flag_name(names)](const std::string& text) {
    check(std::find(choices.begin(), choices.end(), text) != choices.end(), "{} must be {}, got '{}'", flag,
          list, shown(text));
    take(text);
  };
  return command.add_option_function<std::string>(names, read, help)->type_name(list);
}

CLI::Option* add_choice(CLI::App& command, const std::string& names, std::string& value,
                        const std::string& help, const std::vector<std::string>& choices) {
  return add_choice(command, names, help, choices, [&value](const std::string& text) { value = text; })
      ->default_str(value);
}

CLI::Option* add_threads(CLI::App& command, int& threads) {
  return add_number(command, "--threads", threads, "CPU threads; 0: all", Allowed<int>{0, most_threads});
}

}  // namespace fathom
