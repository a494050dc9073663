// What the router chose, counted: for the balance losses of a whole step, and for reports.
#pragma once
#include "ops/dispatch.h"

namespace fathom {

// counts[e] += how often a token chose expert e; sent[d] += how many tokens chose any expert of group d, the
// neighbours d * E/D .. (d+1) * E/D - 1.
struct ExpertCounts {
  Tensor counts;  // [E] i32, +=
  Tensor sent;    // [D] i32, +=
  Tensor ids;     // [N, K] i32
};

FATHOM_OP(expert_counts, ExpertCounts)

// Whether no earlier choice of the token is in the group of its k-th one; groups have `size` experts.
constexpr bool first_in_group(const int32_t* ids, int64_t k, int64_t size) {
  for (int64_t j = 0; j < k; ++j)
    if (ids[j] / size == ids[k] / size) return false;
  return true;
}

}  // namespace fathom
