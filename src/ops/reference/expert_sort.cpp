#include "ops/expert_sort.h"

#include <algorithm>

namespace fathom::reference {

void expert_sort(Device&, const ExpertSort& a) {
  const int64_t N = a.ids.shape[0], K = a.ids.shape[1], E = a.offsets.count() - 1;
  int32_t* offsets = a.offsets.as<int32_t>();
  int32_t row = 0;
  for (int64_t e = 0; e < E; ++e) {
    offsets[e] = row;
    for (int64_t n = 0; n < N; ++n)
      for (int64_t k = 0; k < K; ++k)
        if (a.ids.row<int32_t>(n)[k] == e) {
          a.token_of.as<int32_t>()[row] = static_cast<int32_t>(n);
          a.row_of.row<int32_t>(n)[k] = row++;
        }
  }
  offsets[E] = row;
  std::fill(a.token_of.as<int32_t>() + row, a.token_of.as<int32_t>() + N * K, 0);
  for (int64_t n = 0; n < N; ++n)
    for (int64_t k = 0; k < K; ++k)
      if (a.ids.row<int32_t>(n)[k] == ExpertSort::nowhere) a.row_of.row<int32_t>(n)[k] = ExpertSort::nowhere;
}

}  // namespace fathom::reference
