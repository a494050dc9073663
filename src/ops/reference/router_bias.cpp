#include "ops/router_bias.h"

#include <numeric>

namespace fathom::reference {

void router_bias_update(Device&, const RouterBiasUpdate& a) {
  with_dtype<double, float>("router_bias_update", a.bias.dtype, [&]<class T>(T) {
    const int64_t E = a.bias.cols();
    const int32_t* counts = a.counts.as<int32_t>();
    const int64_t total = std::accumulate(counts, counts + E, int64_t{0});
    const T speed = static_cast<T>(a.speed);
    for (int64_t e = 0; e < E; ++e) {
      const int64_t missing = total - E * counts[e];
      a.bias.as<T>()[e] += missing > 0 ? speed : missing < 0 ? -speed : T(0);
    }
  });
}

}  // namespace fathom::reference
