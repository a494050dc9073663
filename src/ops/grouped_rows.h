// Shared by the ops over rows sorted by expert.
#pragma once
#include <algorithm>

#include "ops/expert_sort.h"
#include "tensor/device.h"
#include "tensor/profile.h"
#include "tensor/tensor.h"

namespace fathom {

// An Error unless `offsets` [E+1] ascends from 0 to at most M, where the host can read it.
inline void check_offsets(const char* op, const Device& device, const Tensor& offsets, int64_t M) {
  if (!device.on_host()) return;
  const int32_t* begin = offsets.as<int32_t>();
  const int64_t E = offsets.cols() - 1;
  check(E >= 0 && begin[0] == 0, "{} offsets must start with 0", op);
  for (int64_t e = 0; e < E; ++e)
    check(begin[e + 1] >= begin[e] && begin[e + 1] <= M, "{} offsets[{}] is {}, expected {} to {}", op, e + 1,
          begin[e + 1], begin[e], M);
}

// An Error unless row_of [N, K] names rows below M or nowhere, where the host can read it.
inline void check_row_of(const char* op, const Device& device, const Tensor& row_of, int64_t M) {
  if (!device.on_host()) return;
  for (int64_t n = 0; n < row_of.rows(); ++n)
    for (int64_t k = 0; k < row_of.cols(); ++k) {
      const int32_t m = row_of.row<int32_t>(n)[k];
      check(m >= ExpertSort::nowhere && m < M, "{} row_of[{}, {}] is {}, expected a row below {}, or nowhere",
            op, n, k, m, M);
    }
}

// Bytes of the experts' weights w [E, ..] that M rows use at most: few rows meet few experts.
inline double used_weights(const Tensor& w, int64_t M) {
  const int64_t E = w.shape[0];
  return moves(w) * static_cast<double>(std::min(M, E)) / static_cast<double>(std::max<int64_t>(E, 1));
}

}  // namespace fathom
