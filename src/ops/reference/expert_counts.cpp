#include "ops/expert_counts.h"

namespace fathom::reference {

void expert_counts(Device&, const ExpertCounts& a) {
  const int64_t size = a.counts.cols() / a.sent.cols();
  for (int64_t n = 0; n < a.ids.rows(); ++n) {
    const int32_t* ids = a.ids.row<int32_t>(n);
    for (int64_t k = 0; k < a.ids.cols(); ++k) {
      ++a.counts.as<int32_t>()[ids[k]];
      if (first_in_group(ids, k, size)) ++a.sent.as<int32_t>()[ids[k] / size];
    }
  }
}

}  // namespace fathom::reference
