// Where the time of a training step went on each rank, for people.
#pragma once
#include <span>
#include <string>
#include <vector>

#include "train/rank_times.h"

namespace fathom {

// A table with a row for each rank, and the least and the most of all where there are more than two. Kinds
// of exchanges that no rank had are left out. `hosts` has the name of each rank's.
std::string rank_table(const std::string& title, std::span<const RankTimes> ranks,
                       const std::vector<std::string>& hosts);

}  // namespace fathom
