// The one exception type. check() is for input from outside (files, flags, configs, shapes a caller chose);
// assert() is for our own mistakes. Errors are caught only in cli/ (one clear line, exit code 1) and server/.
#pragma once
#include <fmt/format.h>

#include <exception>
#include <stdexcept>
#include <string>
#include <utility>

namespace fathom {

class Error : public std::runtime_error {
 public:
  explicit Error(const std::string& message) : std::runtime_error(message) {}
};

template <class... Args>
[[noreturn]] void fail(fmt::format_string<Args...> format, Args&&... args) {
  throw Error(fmt::format(format, std::forward<Args>(args)...));
}

// Throws Error unless the condition holds. The message names the file, field or value at fault.
template <class... Args>
void check(bool condition, fmt::format_string<Args...> format, Args&&... args) {
  if (!condition) [[unlikely]]
    throw Error(fmt::format(format, std::forward<Args>(args)...));
}

// What one line says of an exception: an Error's own words; memory, threads and files that the system
// refused, by name.
std::string explain(const std::exception& exception);

}  // namespace fathom
