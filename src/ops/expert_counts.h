// How many tokens each expert got, for reports.
#pragma once
#include "ops/dispatch.h"

namespace fathom {

// counts[e] += offsets[e + 1] - offsets[e]: how many slots each expert got, for reports.
struct ExpertCounts {
  Tensor counts;   // [E] i32, +=
  Tensor offsets;  // [E+1] i32
};

FATHOM_OP(expert_counts, ExpertCounts)

}  // namespace fathom
