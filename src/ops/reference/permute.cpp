#include "ops/permute.h"

#include "ops/expert_sort.h"

namespace fathom::reference {

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
        for (int64_t k = 0; k < a.row_of.cols(); ++k)
          if (const int32_t m = a.row_of.row<int32_t>(n)[k]; m != ExpertSort::nowhere)
            sum += a.dout.row<T>(m)[c];
        a.dx.row<T>(n)[c] = sum;
      }
  });
}

}  // namespace fathom::reference
