// A line of a template, for errors.
#pragma once
#include <string>
#include <utility>

#include "base/error.h"

namespace fathom::jinja {

struct Place {
  const std::string& name;
  int line;

  template <class... Args>
  [[noreturn]] void fail(fmt::format_string<Args...> format, Args&&... args) const {
    fathom::fail("{}, line {}: {}", name, line, fmt::format(format, std::forward<Args>(args)...));
  }
  template <class... Args>
  void check(bool condition, fmt::format_string<Args...> format, Args&&... args) const {
    if (!condition) fail(format, std::forward<Args>(args)...);
  }
};

}  // namespace fathom::jinja
