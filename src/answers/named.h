// Values of an enumeration by the names they have in files.
#pragma once
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/nearest.h"

namespace fathom {

// The value of `name` in a table of (name, value) pairs. Error "WHERE: unknown WHAT 'NAME': did you mean
// ...?".
template <class Table>
auto parse_named(const Table& table, const std::string& name, std::string_view what,
                 const std::string& where) {
  std::vector<std::string> known;
  for (const auto& [text, value] : table) {
    if (text == name) return value;
    known.emplace_back(text);
  }
  fail("{}: unknown {} '{}'{}", where, what, name, did_you_mean(name, known));
}

}  // namespace fathom
