#include "ops/permute.h"

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
}

void permute(Device&, const Permute& a) {
  with_dtype<double, float>("permute", a.x.dtype, [&]<class T>(T) {
    for (int64_t m = 0; m < a.out.rows(); ++m)
      for (int64_t c = 0; c < a.out.cols(); ++c)
        a.out.row<T>(m)[c] = a.x.row<T>(a.token_of.as<int32_t>()[m])[c];
  });
}

void permute_backward(Device&, const PermuteBackward& a) {
  with_dtype<double, float>("permute_backward", a.dx.dtype, [&]<class T>(T) {
    for (int64_t n = 0; n < a.dx.rows(); ++n)
      for (int64_t c = 0; c < a.dx.cols(); ++c) {
        T sum = 0;
        for (int64_t k = 0; k < a.row_of.cols(); ++k) sum += a.dout.row<T>(a.row_of.row<int32_t>(n)[k])[c];
        a.dx.row<T>(n)[c] = sum;
      }
  });
}

void combine(Device&, const Combine& a) {
  with_dtype<double, float>("combine", a.out.dtype, [&]<class T>(T) {
    for (int64_t n = 0; n < a.out.rows(); ++n)
      for (int64_t c = 0; c < a.out.cols(); ++c) {
        T sum = a.shared ? a.shared.row<T>(n)[c] : T(0);
        for (int64_t k = 0; k < a.row_of.cols(); ++k)
          sum += a.weights.row<T>(n)[k] * a.rows.row<T>(a.row_of.row<int32_t>(n)[k])[c];
        a.out.row<T>(n)[c] = sum;
      }
  });
}

void combine_backward(Device&, const CombineBackward& a) {
  with_dtype<double, float>("combine_backward", a.dout.dtype, [&]<class T>(T) {
    for (int64_t n = 0; n < a.dout.rows(); ++n)
      for (int64_t k = 0; k < a.row_of.cols(); ++k) {
        const int64_t m = a.row_of.row<int32_t>(n)[k];
        const T *dout = a.dout.row<T>(n), *row = a.rows.row<T>(m), weight = a.weights.row<T>(n)[k];
        T* drow = a.drows.row<T>(m);
        T dot = 0;
        for (int64_t c = 0; c < a.dout.cols(); ++c) {
          dot += dout[c] * row[c];
          drow[c] = weight * dout[c];
        }
        a.dweights.row<T>(n)[k] = dot;
      }
  });
}

void expert_counts(Device&, const ExpertCounts& a) {
  const int32_t* offsets = a.offsets.as<int32_t>();
  for (int64_t e = 0; e < a.counts.cols(); ++e) a.counts.as<int32_t>()[e] += offsets[e + 1] - offsets[e];
}

}  // namespace fathom::reference
