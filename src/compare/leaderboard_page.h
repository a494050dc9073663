// The leaderboard: a comparison as one HTML page.
#pragma once
#include <string>

#include "compare/comparison.h"

namespace fathom {

std::string leaderboard_page(const Comparison& comparison);

}  // namespace fathom
