// Flags whose values are checked here: numbers are read strictly, and an error names the flag, what is
// allowed and what was given.
#pragma once
#include <fmt/format.h>

#include <CLI/App.hpp>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/parse_number.h"

namespace fathom {

// "1,2,3", also with spaces, line ends or brackets between the numbers.
std::vector<int32_t> parse_token_ids(const std::string& where, const std::string& text);

// "a", "b" and "" of "a,b,".
std::vector<std::string> comma_parts(const std::string& text);

// "--max-tokens" of "-n,--max-tokens".
std::string flag_name(const std::string& names);

// Both are for T of a plain number and of an optional one.
template <class T>
CLI::Option* add_number(CLI::App& command, const std::string& names, std::optional<T>& value,
                        const std::string& help, const Allowed<T>& allowed = {}) {
  const auto read = [&value, allowed, flag = flag_name(names)](const std::string& text) {
    value = parse_number<T>(flag, text, allowed);
  };
  return command.add_option_function<std::string>(names, read, help)->type_name("NUMBER");
}
template <class T>
CLI::Option* add_number(CLI::App& command, const std::string& names, T& value, const std::string& help,
                        const Allowed<T>& allowed = {}) {
  const auto read = [&value, allowed, flag = flag_name(names)](const std::string& text) {
    value = parse_number<T>(flag, text, allowed);
  };
  return command.add_option_function<std::string>(names, read, help)
      ->type_name("NUMBER")
      ->default_str(fmt::format("{}", value));
}

// One of a few words, handed to `take`.
CLI::Option* add_choice(CLI::App& command, const std::string& names, const std::string& help,
                        const std::vector<std::string>& choices,
                        const std::function<void(const std::string&)>& take);
// The same into `value`. What it holds now is the default; empty: none.
CLI::Option* add_choice(CLI::App& command, const std::string& names, std::string& value,
                        const std::string& help, const std::vector<std::string>& choices);

constexpr int most_threads = 4096;
// --threads, where 0 stands for all of the machine.
CLI::Option* add_threads(CLI::App& command, int& threads);

}  // namespace fathom
