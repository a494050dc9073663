#include "ops/combine.h"

#include "ops/expert_sort.h"

namespace fathom::reference {

void combine(Device&, const Combine& a) {
  with_dtype<double, float>("combine", a.out.dtype, [&]<class T>(T) {
    for (int64_t n = 0; n < a.out.rows(); ++n)
      for (int64_t c = 0; c < a.out.cols(); ++c) {
        T sum = a.shared ? a.shared.row<T>(n)[c] : T(0);
        for (int64_t k = 0; k < a.row_of.cols(); ++k)
          if (const int32_t m = a.row_of.row<int32_t>(n)[k]; m != ExpertSort::nowhere)
            sum += (a.weights ? a.weights.row<T>(n)[k] : 1) * a.rows.row<T>(m)[c];
        a.out.row<T>(n)[c] = sum;
      }
  });
}

void combine_backward(Device&, const CombineBackward& a) {
  with_dtype<double, float>("combine_backward", a.dout.dtype, [&]<class T>(T) {
    for (int64_t n = 0; n < a.dout.rows(); ++n)
      for (int64_t k = 0; k < a.row_of.cols(); ++k) {
        a.dweights.row<T>(n)[k] = 0;
        const int32_t m = a.row_of.row<int32_t>(n)[k];
        if (m == ExpertSort::nowhere) continue;
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

}  // namespace fathom::reference
