#include "ops/residual_add.h"

namespace fathom::reference {

void residual_add(Device&, const ResidualAdd& a) {
  with_dtype<double, float>("residual_add", a.x.dtype, [&]<class T>(T) {
    for (int64_t n = 0; n < a.x.rows(); ++n)
      for (int64_t c = 0; c < a.x.cols(); ++c) a.stream.row<T>(n)[c] += a.x.row<T>(n)[c];
  });
}

}  // namespace fathom::reference
