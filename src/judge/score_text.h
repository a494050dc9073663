// Pieces of tables and of their JSON.
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "io/json.h"
#include "judge/bootstrap.h"

namespace fathom {

// "[7.812, 8.401]", or "-" for none.
std::string interval_text(const std::optional<Interval>& interval, int digits);
// [7.81, 8.40], or null.
OrderedJson interval_json(const std::optional<Interval>& interval);
// Counts of failures by reason: "3 x no rating, 1 x HTTP status 500".
std::string reasons_text(const std::map<std::string, int64_t>& failures);

}  // namespace fathom
