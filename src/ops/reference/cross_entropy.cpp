#include "ops/cross_entropy.h"

#include <algorithm>
#include <cmath>

namespace fathom::reference {
namespace {

// Of softmax(x / temperature). log_sum_exp is temperature * log(sum_v exp(x[v] / temperature)), so that
// log p[v] = (x[v] - log_sum_exp) / temperature.
template <class T>
struct Softmax {
  T log_sum_exp, entropy;
};

// With y[v] = (x[v] - max) / temperature, S the sum of exp(y) and W that of y * exp(y), the entropy is
// log S - W / S: two terms that are not negative.
template <class T>
Softmax<T> softmax(const T* x, int64_t V, T temperature) {
  const T max = *std::max_element(x, x + V);
  T sum = 0, weighted = 0;
  for (int64_t v = 0; v < V; ++v) {
    const T y = (x[v] - max) / temperature, e = std::exp(y);
    sum += e;
    if (e != 0) weighted += y * e;  // y may be -infinity
  }
  return {max + temperature * std::log(sum), std::log(sum) - weighted / sum};
}

template <class T>
void cross_entropy_row(const CrossEntropy& a, int64_t n) {
  const int64_t V = a.logits.cols();
  const int32_t target = a.targets.as<int32_t>()[n];
  const bool ignored = target == CrossEntropy::ignore;
  const T weight = ignored ? T(0) : a.weights ? a.weights.as<T>()[n] : T(1);
  const bool skipped = weight == 0;
  const T temperature = static_cast<T>(a.temperature), scale = static_cast<T>(a.scale) * weight / temperature;
  const T* x = a.logits.row<T>(n);
  const Softmax<T> p = skipped ? Softmax<T>{} : softmax(x, V, temperature);
  a.losses.as<T>()[n] = skipped ? T(0) : weight * ((p.log_sum_exp - x[target]) / temperature);
  if (a.entropies) a.entropies.as<T>()[n] = p.entropy;
  if (!a.dlogits) return;
  for (int64_t v = 0; v < V; ++v) {
    const T probability = skipped ? T(0) : std::exp((x[v] - p.log_sum_exp) / temperature);
    a.dlogits.row<T>(n)[v] = skipped ? T(0) : scale * (probability - (v == target ? T(1) : T(0)));
  }
}

}  // namespace

void cross_entropy(Device&, const CrossEntropy& a) {
  with_dtype<double, float>("cross_entropy", a.logits.dtype, [&]<class T>(T) {
    check(!a.dlogits || a.dlogits.dtype == a.logits.dtype,
          "cross_entropy: the reference backend gives dlogits in {} only", name_of(a.logits.dtype));
    for (int64_t n = 0; n < a.logits.rows(); ++n) cross_entropy_row<T>(a, n);
  });
}

}  // namespace fathom::reference
