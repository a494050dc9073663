#include "ops/expert_ranks.h"

#include "ops/expert_sort.h"

namespace fathom::reference {
namespace {

constexpr int32_t nowhere = ExpertSort::nowhere;

}  // namespace

void expert_ranks(Device&, const ExpertRanks& a) {
  for (int64_t n = 0; n < a.ids.rows(); ++n) {
    const int32_t* ids = a.ids.row<int32_t>(n);
    int32_t* ranks = a.ranks.row<int32_t>(n);
    for (int64_t k = 0; k < a.ids.cols(); ++k) {
      ranks[k] = nowhere;
      if (ids[k] == nowhere) continue;
      const auto rank = static_cast<int32_t>(ids[k] / a.experts);
      ++a.choices.as<int32_t>()[rank];
      bool first = true;
      for (int64_t j = 0; j < k; ++j) first = first && (ids[j] == nowhere || ids[j] / a.experts != rank);
      if (first) ranks[k] = rank;
    }
  }
}

void expert_ranks_local(Device&, const ExpertRanksLocal& a) {
  const int64_t K = a.ids.cols();
  for (int64_t n = 0; n < a.ids.rows(); ++n) {
    const int32_t* ids = a.ids.row<int32_t>(n);
    for (int64_t k = 0; k < K; ++k) {
      const int32_t m = a.row_of.row<int32_t>(n)[k];
      if (m == nowhere) continue;
      const int64_t rank = ids[k] / a.experts;
      for (int64_t j = 0; j < K; ++j) {
        const bool here = ids[j] != nowhere && ids[j] / a.experts == rank;
        a.local.row<int32_t>(m)[j] = here ? static_cast<int32_t>(ids[j] - rank * a.experts) : nowhere;
      }
    }
  }
}

}  // namespace fathom::reference
