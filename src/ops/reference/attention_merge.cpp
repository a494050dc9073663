#include "ops/attention_merge.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace fathom::reference {

void attention_merge(Device&, const AttentionMerge& a) {
  with_dtype<double, float>("attention_merge", a.part.dtype, [&]<class T>(T) {
    constexpr T none = -std::numeric_limits<T>::infinity();
    const int64_t N = a.part.shape[0], H = a.part.shape[1], Dv = a.part.cols();
    for (int64_t n = 0; n < N; ++n)
      for (int64_t h = 0; h < H; ++h) {
        T& lse = a.merged_lse.row<T>(n)[h];
        const T before = a.first ? none : lse, more = a.part_lse.row<T>(n)[h];
        const T largest = std::max(before, more);
        const T total = largest == none
                            ? none
                            : largest + std::log(std::exp(before - largest) + std::exp(more - largest));
        T *merged = a.merged.row<T>(n * H + h), *to = a.out ? a.out.row<T>(n * H + h) : merged;
        const T* part = a.part.row<T>(n * H + h);
        for (int64_t c = 0; c < Dv; ++c) {
          T sum = 0;
          if (before != none) sum += std::exp(before - total) * merged[c];
          if (more != none) sum += std::exp(more - total) * part[c];
          to[c] = sum;
        }
        if (!a.out) lse = total;
      }
  });
}

}  // namespace fathom::reference
