#include "ops/sample.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

namespace fathom::reference {
namespace {

template <class T>
int32_t pick(const T* logits, int64_t V, const double* settings, int64_t top_k) {
  constexpr T infinity = std::numeric_limits<T>::infinity();
  for (int64_t i = 0; i < V; ++i)
    if (!(logits[i] < infinity)) return sample_not_finite(i);
  std::vector<int32_t> kept(static_cast<size_t>(V));  // the most likely first
  std::iota(kept.begin(), kept.end(), 0);
  std::stable_sort(kept.begin(), kept.end(), [&](int32_t a, int32_t b) { return logits[a] > logits[b]; });
  const T best = logits[kept[0]];
  if (best == -infinity) return sample_nothing_likely;
  const double temperature = settings[sample_setting::temperature];
  if (temperature == 0) return kept[0];

  const auto weight = [&](int32_t id) {
    return logits[id] == best ? T(1) : static_cast<T>(std::exp((logits[id] - best) / temperature));
  };
  const auto mass = [&] {
    double sum = 0;
    for (const int32_t id : kept) sum += weight(id);
    return sum;
  };
  if (top_k > 0 && top_k < V) kept.resize(static_cast<size_t>(top_k));
  if (const double top_p = settings[sample_setting::top_p]; top_p < 1) {
    const double wanted = top_p * mass();
    double held = 0;
    size_t n = 0;
    while (n < kept.size() && held < wanted) held += weight(kept[n++]);
    kept.resize(std::max<size_t>(n, 1));
  }
  std::erase_if(kept, [&](int32_t id) { return weight(id) < settings[sample_setting::min_p]; });
  std::sort(kept.begin(), kept.end());

  double left = settings[sample_setting::draw] * mass();
  int32_t picked = -1;
  for (const int32_t id : kept) {
    if (weight(id) <= 0) continue;
    picked = id;
    left -= weight(id);
    if (left < 0) break;
  }
  return picked;
}

// The most likely token is not in the sum of the others: near 0 the result keeps its digits.
template <class T>
double log_prob(const T* logits, int64_t V, int32_t id, double temperature) {
  if (id < 0) return std::numeric_limits<double>::quiet_NaN();
  const double t = temperature == 0 ? 1 : temperature;
  const int64_t best = std::max_element(logits, logits + V) - logits;
  const auto distance = [&](int64_t i) { return (static_cast<double>(logits[i]) - logits[best]) / t; };
  double others = 0;
  for (int64_t i = 0; i < V; ++i)
    if (i != best) others += std::exp(distance(i));
  return distance(id) - std::log1p(others);
}

}  // namespace

void sample(Device&, const Sample& a) {
  with_dtype<double, float>("sample", a.logits.dtype, [&]<class T>(T) {
    for (int64_t n = 0; n < a.logits.rows(); ++n) {
      const T* logits = a.logits.row<T>(n);
      const double* settings = a.settings.row<double>(n);
      int32_t& id = a.ids.as<int32_t>()[n];
      id = pick(logits, a.logits.cols(), settings, a.top_k.as<int32_t>()[n]);
      if (a.log_probs)
        a.log_probs.as<T>()[n] =
            static_cast<T>(log_prob(logits, a.logits.cols(), id, settings[sample_setting::temperature]));
    }
  });
}

}  // namespace fathom::reference
