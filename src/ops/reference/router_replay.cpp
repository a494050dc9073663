#include "ops/router_replay.h"

namespace fathom::reference {

void router_replay(Device&, const RouterReplay& a) {
  with_dtype<double, float>("router_replay", a.scores.dtype, [&]<class T>(T) {
    const int64_t K = a.ids.cols();
    for (int64_t n = 0; n < a.ids.rows(); ++n) {
      const int32_t row = a.rows.as<int32_t>()[n];
      if (row < 0) continue;
      const int32_t* given = a.given.row<int32_t>(row);
      T *weights = a.weights.row<T>(n), sum = static_cast<T>(1e-20);
      for (int64_t k = 0; k < K; ++k) {
        a.ids.row<int32_t>(n)[k] = given[k];
        sum += weights[k] = a.scores.row<T>(n)[given[k]];
      }
      const bool normalize = a.normalize && K > 1;
      for (int64_t k = 0; k < K; ++k) weights[k] *= normalize ? 1 / sum : static_cast<T>(a.scaling);
    }
  });
}

}  // namespace fathom::reference
