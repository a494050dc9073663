#include "ops/cross_entropy.h"

#include <algorithm>
#include <cmath>

namespace fathom::reference {
namespace {

template <class T>
T log_sum_exp(const T* x, int64_t n) {
  const T max = *std::max_element(x, x + n);
  T sum = 0;
  for (int64_t i = 0; i < n; ++i) sum += std::exp(x[i] - max);
  return max + std::log(sum);
}

}  // namespace

void cross_entropy(Device&, const CrossEntropy& a) {
  with_dtype<double, float>("cross_entropy", a.logits.dtype, [&]<class T>(T) {
    check(!a.dlogits || a.dlogits.dtype == a.logits.dtype,
          "cross_entropy: the reference backend gives dlogits in {} only", name_of(a.logits.dtype));
    const int64_t V = a.logits.cols();
    for (int64_t n = 0; n < a.logits.rows(); ++n) {
      const int32_t target = a.targets.as<int32_t>()[n];
      const bool ignored = target == CrossEntropy::ignore;
      const T* x = a.logits.row<T>(n);
      const T lse = ignored ? T(0) : log_sum_exp(x, V);
      a.losses.as<T>()[n] = ignored ? T(0) : lse - x[target];
      if (!a.dlogits) continue;
      for (int64_t v = 0; v < V; ++v) {
        const T probability = ignored ? T(0) : std::exp(x[v] - lse);
        a.dlogits.row<T>(n)[v] = static_cast<T>(a.scale) * (probability - (v == target ? T(1) : T(0)));
      }
    }
  });
}

}  // namespace fathom::reference
