// Scores as texts: shares in percent, with as many digits as their unit is given with.
#pragma once
#include <optional>
#include <string>

#include "compare/scored_task.h"

namespace fathom {

inline double display_scale(Unit unit) {
  return unit == Unit::share ? 100 : 1;
}

inline int display_digits(Unit unit) {
  return unit == Unit::share ? 2 : unit == Unit::bits ? 4 : 3;
}

// "22.00", "+1.50" with `sign`.
std::string score_text(Unit unit, double value, bool sign = false);
// "[14.00, 30.00]", or nothing.
std::string interval_text(Unit unit, const std::optional<double>& low, const std::optional<double>& high);
// "0.012", "<0.0001".
std::string p_text(double p);

}  // namespace fathom
