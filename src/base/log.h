// Log lines on standard error, through spdlog; standard output carries only a command's result.
#pragma once
#include <fmt/format.h>

#include <string>
#include <utility>

namespace fathom::log {

void write_info(const std::string& line);
void write_warning(const std::string& line);
// From now on nothing is printed: on all ranks of a run but one.
void silence();
// A warning that is printed once per process, however often the same text is passed.
void warn_once(const std::string& text);

template <class... Args>
void info(fmt::format_string<Args...> format, Args&&... args) {
  write_info(fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void warn(fmt::format_string<Args...> format, Args&&... args) {
  write_warning(fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace fathom::log
