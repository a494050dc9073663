#include "cli/flags.h"

#include <algorithm>
#include <charconv>
#include <limits>

#include "base/error.h"

namespace fathom {
std::vector<int32_t> parse_token_ids(const std::string& where, const std::string& text) {
  constexpr const char* between = " \t\r\n,[]";
  std::vector<int32_t> ids;
  for (size_t at = 0; (at = text.find_first_not_of(between, at)) != std::string::npos;) {
    const size_t end = std::min(text.find_first_of(between, at), text.size());
    int32_t id = 0;
    const auto [stop, error] = std::from_chars(text.data() + at, text.data() + end, id);
    check(error == std::errc() && stop == text.data() + end && id >= 0,
          "{}: '{}' is not a token id, a whole number between 0 and {}", where,
          shortened(text.substr(at, end - at)), std::numeric_limits<int32_t>::max());
    ids.push_back(id);
    at = end;
  }
  return ids;
}

std::vector<std::string> comma_parts(const std::string& text) {
  std::vector<std::string> parts;
  for (size_t from = 0; from <= text.size();) {
    const size_t comma = std::min(text.find(',', from), text.size());
    parts.push_back(text.substr(from, comma - from));
    from = comma + 1;
  }
  return parts;
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
          list, shortened(text));
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
